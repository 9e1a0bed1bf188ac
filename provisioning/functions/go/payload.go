package main

import (
	"net/http"
	"strconv"
	"sync"
)

const (
	payloadPresetBytes = 1024
	payloadMostBytes   = 1 << 30
	payloadBlockBytes  = 64 << 10
)

// payloadBlock is what payloads are made of: the letters, again and again.
var payloadBlock = sync.OnceValue(func() []byte {
	block := make([]byte, payloadBlockBytes)
	for i := range block {
		block[i] = byte('a' + i%26)
	}
	return block
})

// answerPayload answers with as many bytes as are asked for.
func answerPayload(response http.ResponseWriter, request *http.Request) {
	query, err := readQuery(request.URL.RawQuery, []string{"bytes"})
	if err != nil {
		answerError(response, err)
		return
	}
	left, err := readNumber(query, "bytes", payloadPresetBytes, payloadMostBytes)
	if err != nil {
		answerError(response, err)
		return
	}
	response.Header().Set("Content-Type", plainText)
	response.Header().Set("Content-Length", strconv.FormatUint(left, 10))
	for block := payloadBlock(); left > 0; {
		part := min(left, uint64(len(block)))
		if _, err := response.Write(block[:part]); err != nil {
			return
		}
		left -= part
	}
}
