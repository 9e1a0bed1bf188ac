package main

import (
	"fmt"
	"strings"
	"testing"
)

// inPieces feeds a text in pieces of so many bytes.
func inPieces(text string, size int) (*response, error) {
	r := &response{}
	for len(text) > 0 {
		piece := text[:min(size, len(text))]
		text = text[len(piece):]
		if err := r.feed([]byte(piece)); err != nil {
			return r, err
		}
	}
	return r, nil
}

const (
	ok       = "HTTP/1.1 200 OK\r\n"
	inChunks = ok + "Transfer-Encoding: chunked\r\n\r\n"
)

func TestResponsesAreReadFromPiecesOfAnySize(t *testing.T) {
	cases := []struct {
		text   string
		status int
		bytes  int64
		closes bool
	}{
		{ok + "Content-Length: 5\r\n\r\nhello", 200, 5, false},
		{ok + "content-length:5\r\nConnection: Close\r\n\r\nhello", 200, 5, true},
		{ok + "Content-Length: 0\r\n\r\n", 200, 0, false},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, false},
		{"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", 503, 2, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno", 200, 2, true},
		{inChunks + "5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n", 200, 15, false},
		{inChunks + "1\r\n\r\r\n0\r\nX: y\r\n\r\n", 200, 1, false},
	}
	for _, c := range cases {
		for size := 1; size <= len(c.text); size++ {
			r, err := inPieces(c.text, size)
			if err != nil || r.part != complete {
				t.Errorf("%q in pieces of %d: %v, part %d", c.text, size, err, r.part)
				continue
			}
			if r.status != c.status || r.bodyBytes != c.bytes || r.closes != c.closes {
				t.Errorf("%q in pieces of %d: %+v", c.text, size, r)
			}
		}
	}
}

func TestAResponseWithoutALengthEndsWithTheConnection(t *testing.T) {
	r, err := inPieces(ok+"\r\nhello", 3)
	if err != nil || r.part == complete || !r.end() || r.bodyBytes != 5 || !r.closes {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAResponseIsNotCompleteBeforeItsLastByte(t *testing.T) {
	texts := []string{
		ok + "Content-Length: 5\r\n\r\nhello",
		inChunks + "5\r\nhello\r\n0\r\n\r\n",
	}
	for _, text := range texts {
		for size := range len(text) {
			if r, err := inPieces(text[:size], 1000); err != nil || r.part == complete || r.end() {
				t.Errorf("%q: %v %+v", text[:size], err, r)
			}
		}
	}
}

func TestWhatIsNoResponseIsRefused(t *testing.T) {
	texts := []string{
		"SSH-2.0-x\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		ok + "Content-Length: -1\r\n\r\n",
		ok + "Content-Length: x\r\n\r\n",
		ok + "Content-Length: 1\r\n\r\nab",
		inChunks + "x\r\n",
		inChunks + "1\r\nabc\r\n",
		ok + "X: " + strings.Repeat("x", headBytesMax),
	}
	for _, text := range texts {
		if r, err := inPieces(text, 1024); err == nil {
			t.Errorf("%.80q was taken: %+v", text, r)
		}
	}
}

func FuzzResponseIsTheSameInOnePieceAndInMany(f *testing.F) {
	f.Add(ok+"Content-Length: 5\r\n\r\nhello", 3)
	f.Add(inChunks+"5\r\nhello\r\n0\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, min(size, len(text)))
		one, errOne := inPieces(text, len(text)+1)
		many, errMany := inPieces(text, size)
		said := func(r *response, err error) string {
			if err != nil {
				return "refused"
			}
			return fmt.Sprint(r.part, r.status, r.bodyBytes, r.closes)
		}
		if said(one, errOne) != said(many, errMany) {
			inOne, inMany := said(one, errOne), said(many, errMany)
			t.Errorf("%q: %s in one piece, %s in many", text, inOne, inMany)
		}
	})
}
