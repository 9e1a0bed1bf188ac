package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

const (
	backlog = 65_535
	// Bodies are written from one buffer of so many bytes, again and again.
	bodyChunkBytes = 1 << 20
	// Answers up to this size are one piece with their head.
	onePieceBytes = 64 * 1024
)

// nullConnection knows how far its reader and its answer are.
type nullConnection struct {
	fd int
	// How many bytes of the end of a request have come in a row.
	matched int
	// Answers that are still to be written, and how far the first of them is.
	answers int
	written int64
	// True if all that had come was read.
	isEmptied bool
}

// nullWorker answers the connections of one thread.
type nullWorker struct {
	poller      *poller
	connections map[int32]*nullConnection
	head        []byte
	body        []byte
	totalBytes  int64
	buffer      []byte
}

// serveNull answers every request with the same prepared bytes until it is asked to end.
func serveNull(n *nullSettings) error {
	if err := allowFiles(connectionsMax + otherFiles); err != nil {
		// Fewer connections are possible then, down to what is allowed.
		fmt.Fprintln(os.Stderr, "load-generator:", err)
	}
	runtime.GOMAXPROCS(n.threads + 2)
	listener, port, err := listenOn(&n.listen)
	if err != nil {
		return err
	}
	head := "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.FormatInt(n.bytes, 10) + "\r\n\r\n"
	body := make([]byte, min(n.bytes, bodyChunkBytes))
	for i := range body {
		body[i] = 'x'
	}
	pollers := make([]*poller, n.threads)
	for i := range pollers {
		if pollers[i], err = newPoller(); err != nil {
			return err
		}
		w := &nullWorker{poller: pollers[i], connections: map[int32]*nullConnection{}}
		w.head, w.body, w.buffer = []byte(head), body, make([]byte, readBytes)
		w.totalBytes = int64(len(head)) + n.bytes
		if w.totalBytes <= onePieceBytes {
			w.head = append(w.head, body...)
		}
		go w.serve()
	}
	go accept(listener, pollers)
	address := n.listen.Addr
	fmt.Printf(
		"{\"listening\":\"%d.%d.%d.%d:%d\"}\n",
		address[0], address[1], address[2], address[3], port,
	)
	endAfter(n.deadlineNs)
	return nil
}

func listenOn(address *syscall.SockaddrInet4) (fd, port int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := syscall.Bind(fd, address); err != nil {
		return 0, 0, fmt.Errorf("bind: %w", err)
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		return 0, 0, fmt.Errorf("listen: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, name.(*syscall.SockaddrInet4).Port, nil
}

// accept hands the connections to the threads in turn.
func accept(listener int, pollers []*poller) {
	runtime.LockOSThread()
	for turn := 0; ; {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			continue
		}
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		if pollers[turn%len(pollers)].add(fd, int32(fd), 0) != nil {
			syscall.Close(fd)
			continue
		}
		turn++
	}
}

func (w *nullWorker) serve() {
	runtime.LockOSThread()
	for {
		for i, events := 0, w.poller.wait(1000*nsPerMs); i < len(events); i++ {
			fd := events[i].Fd
			c := w.connections[fd]
			if c == nil {
				c = &nullConnection{fd: int(fd)}
				w.connections[fd] = c
			}
			if !w.handle(c, events[i].Events&noMore != 0) {
				delete(w.connections, fd)
				syscall.Close(c.fd)
			}
		}
	}
}

// handle reads requests and writes answers as far as both go. False if the connection has ended.
func (w *nullWorker) handle(c *nullConnection, isLast bool) bool {
	for {
		if isWritten, isWell := w.answer(c); !isWell {
			return false
		} else if !isWritten {
			return true
		}
		if c.isEmptied && !isLast {
			c.isEmptied = false
			return true
		}
		count, errno := readSome(c.fd, w.buffer)
		if errno == syscall.EAGAIN {
			return true
		}
		if errno != 0 || count == 0 {
			return false
		}
		c.answers += c.countRequests(w.buffer[:count])
		// A short read has emptied the socket; of what comes next there is another event.
		c.isEmptied = count < len(w.buffer)
	}
}

// countRequests counts the ends of requests; they have no body.
func (c *nullConnection) countRequests(data []byte) int {
	requests := 0
	for _, b := range data {
		switch {
		case b == headEnd[c.matched]:
			c.matched++
		case b == headEnd[0]:
			c.matched = 1
		default:
			c.matched = 0
		}
		if c.matched == len(headEnd) {
			requests++
			c.matched = 0
		}
	}
	return requests
}

// answer writes what is to be written.
func (w *nullWorker) answer(c *nullConnection) (isWritten, isWell bool) {
	for c.answers > 0 {
		piece := w.pieceAt(c.written)
		count, errno := writeSome(c.fd, piece)
		if errno == syscall.EAGAIN {
			return false, true
		}
		if errno != 0 {
			return false, false
		}
		c.written += int64(count)
		if c.written == w.totalBytes {
			c.answers--
			c.written = 0
		}
	}
	return true, true
}

// pieceAt is what follows so many bytes of the answer.
func (w *nullWorker) pieceAt(written int64) []byte {
	if written < int64(len(w.head)) {
		return w.head[written:]
	}
	offset := (written - int64(len(w.head))) % int64(len(w.body))
	left := w.totalBytes - written
	return w.body[offset:min(int64(len(w.body)), offset+left)]
}
