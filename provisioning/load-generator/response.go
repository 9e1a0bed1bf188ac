package main

import (
	"bytes"
	"errors"
	"strconv"
)

const (
	headBytesMax = 16 * 1024
	lineBytesMax = 1024
)

var (
	headEnd       = []byte("\r\n\r\n")
	lineEnd       = []byte("\r\n")
	statusStart   = []byte("HTTP/1.")
	lengthName    = []byte("content-length")
	encodingName  = []byte("transfer-encoding")
	connectName   = []byte("connection")
	errIncomplete = errors.New("incomplete")
)

type responsePart int

const (
	inHead responsePart = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	untilClose
	complete
)

// response reads one HTTP/1.1 response (RFC 9112) from pieces of any size.
type response struct {
	part responsePart
	// What has come of a head or a line that is not complete yet.
	pending []byte
	// Bytes of the body or chunk that are still to come.
	leftBytes int64
	bodyBytes int64
	status    int
	// True if the server closes the connection after it.
	closes bool
	// True once a byte has come.
	isBegun bool
}

func (r *response) reset() {
	*r = response{pending: r.pending[:0]}
}

// feed takes the next bytes. Nothing may follow a response, because nothing more was asked for.
func (r *response) feed(data []byte) error {
	r.isBegun = r.isBegun || len(data) > 0
	for len(data) > 0 {
		var err error
		switch r.part {
		case inHead:
			data, err = r.feedHead(data)
		case inBody, inChunk:
			data = r.feedBody(data)
		case untilClose:
			r.bodyBytes += int64(len(data))
			return nil
		case complete:
			return errors.New("bytes follow the response")
		default:
			data, err = r.feedLine(data)
		}
		if err == errIncomplete {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end says whether the response is complete when the server closes the connection.
func (r *response) end() bool {
	if r.part == untilClose {
		r.part = complete
	}
	return r.part == complete
}

func (r *response) feedBody(data []byte) []byte {
	taken := min(int64(len(data)), r.leftBytes)
	r.bodyBytes += taken
	r.leftBytes -= taken
	if r.leftBytes == 0 {
		if r.part == inChunk {
			r.part = inChunkEnd
		} else {
			r.part = complete
		}
	}
	return data[taken:]
}

// take returns the bytes up to a mark, and what follows it.
func (r *response) take(data, mark []byte, most int) (text, rest []byte, err error) {
	if len(r.pending) > 0 {
		r.pending = append(r.pending, data...)
		data = r.pending
	}
	at := bytes.Index(data, mark)
	if at > most || at < 0 && len(data) > most {
		return nil, nil, errors.New("the head or a line is too long")
	}
	if at < 0 {
		if len(r.pending) == 0 {
			r.pending = append(r.pending, data...)
		}
		return nil, nil, errIncomplete
	}
	r.pending = r.pending[:0]
	return data[:at], data[at+len(mark):], nil
}

func (r *response) feedHead(data []byte) ([]byte, error) {
	head, rest, err := r.take(data, headEnd, headBytesMax)
	if err != nil {
		return nil, err
	}
	return rest, r.readHead(head)
}

func (r *response) readHead(head []byte) error {
	line, fields, _ := bytes.Cut(head, lineEnd)
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, statusStart) || line[8] != ' ' {
		return errors.New("no HTTP/1 status line")
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return errors.New("no HTTP status")
	}
	r.status = status
	r.closes = line[7] == '0'
	lengthBytes := int64(-1)
	isChunked := false
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, lineEnd)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, lengthName):
			lengthBytes, err = strconv.ParseInt(string(value), 10, 64)
			if err != nil || lengthBytes < 0 {
				return errors.New("no valid Content-Length")
			}
		case bytes.EqualFold(name, encodingName):
			isChunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, connectName):
			r.closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	switch {
	case status == 204 || status == 304 || lengthBytes == 0 && !isChunked:
		r.part = complete
	case isChunked:
		r.part = inChunkSize
	case lengthBytes > 0:
		r.part, r.leftBytes = inBody, lengthBytes
	default:
		r.part, r.closes = untilClose, true
	}
	return nil
}

func (r *response) feedLine(data []byte) ([]byte, error) {
	line, rest, err := r.take(data, lineEnd, lineBytesMax)
	if err != nil {
		return nil, err
	}
	switch r.part {
	case inChunkSize:
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseInt(string(bytes.TrimSpace(digits)), 16, 64)
		if err != nil || size < 0 {
			return nil, errors.New("no valid size of a chunk")
		}
		r.part, r.leftBytes = inChunk, size
		if size == 0 {
			r.part = inTrailer
		}
	case inChunkEnd:
		if len(line) > 0 {
			return nil, errors.New("a chunk is longer than its size")
		}
		r.part = inChunkSize
	case inTrailer:
		if len(line) == 0 {
			r.part = complete
		}
	}
	return rest, nil
}
