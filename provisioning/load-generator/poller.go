package main

import (
	"syscall"
	"time"
	"unsafe"
)

// The number is the same on every architecture; see epoll_wait(2). Since Linux 5.11.
const sysEpollPwait2 = 441

const eventsAtOnce = 256

// poller waits for sockets. Sockets are non-blocking and edge-triggered: one event for each time
// that something has come.
type poller struct {
	fd     int
	events [eventsAtOnce]syscall.EpollEvent
	// True where the kernel's waits are in whole milliseconds.
	isCoarse bool
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{fd: fd}, nil
}

const edgeTriggered = 1 << 31

// What an event holds once the peer sends no more.
const noMore = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR

// add watches a socket. Events bear the two numbers.
func (p *poller) add(fd int, index, generation int32) error {
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered,
		Fd:     index,
		Pad:    generation,
	}
	return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &event)
}

// look returns what has happened so far, without waiting.
func (p *poller) look() []syscall.EpollEvent {
	count, _, errno := syscall.RawSyscall6(
		syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		eventsAtOnce, 0, 0, 0,
	)
	if errno != 0 {
		return nil
	}
	return p.events[:count]
}

// wait returns what has happened, or nothing after this time or a signal.
func (p *poller) wait(timeoutNs int64) []syscall.EpollEvent {
	if timeoutNs <= 0 {
		return p.look()
	}
	if !p.isCoarse {
		timeout := syscall.NsecToTimespec(timeoutNs)
		count, _, errno := syscall.Syscall6(
			sysEpollPwait2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
			eventsAtOnce, uintptr(unsafe.Pointer(&timeout)), 0, 0,
		)
		switch errno {
		case 0:
			return p.events[:count]
		case syscall.EINTR:
			return nil
		}
		p.isCoarse = true
	}
	count, err := syscall.EpollWait(p.fd, p.events[:], int(timeoutNs/int64(time.Millisecond)))
	if err != nil {
		return nil
	}
	return p.events[:count]
}

// readSome reads what is there. Sockets do not block, so the scheduler need not know.
func readSome(fd int, buffer []byte) (int, syscall.Errno) {
	for {
		count, _, errno := syscall.RawSyscall(
			syscall.SYS_READ,
			uintptr(fd), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)),
		)
		if errno != syscall.EINTR {
			return int(count), errno
		}
	}
}

// writeSome writes what fits. A peer that is gone gives an error and no signal.
func writeSome(fd int, bytes []byte) (int, syscall.Errno) {
	for {
		count, _, errno := syscall.RawSyscall6(
			syscall.SYS_SENDTO,
			uintptr(fd), uintptr(unsafe.Pointer(&bytes[0])), uintptr(len(bytes)),
			syscall.MSG_NOSIGNAL, 0, 0,
		)
		if errno != syscall.EINTR {
			return int(count), errno
		}
	}
}
