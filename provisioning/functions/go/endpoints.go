package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	helloText      = "Hello from go!\n"
	plainText      = "text/plain; charset=utf-8"
	durationHeader = "Lockstep-Duration-Ns"
)

// badQuery is the answer to a request that asks for something that cannot be done.
type badQuery string

func (problem badQuery) Error() string { return string(problem) }

// work does what a query asks for. It returns the text to answer with and how long the work alone
// took by the monotonic clock.
type work func(query url.Values) (string, time.Duration, error)

// newHandler makes what answers all requests: GET only, and 404 for what it does not know.
func newHandler(from files) http.Handler {
	endpoints := map[string]http.HandlerFunc{
		"/hello":   answerHello,
		"/fib":     answerWork(doFibonacci, "n"),
		"/fft":     answerWork(doTransform, "n"),
		"/matrix":  answerWork(doMatrix, "n"),
		"/alloc":   answerWork(doAlloc, "mib"),
		"/read":    answerWork(from.doRead),
		"/unzip":   answerWork(from.doUnzip, "archive"),
		"/static":  from.answerStatic,
		"/payload": answerPayload,
	}
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		endpoint, known := endpoints[request.URL.Path]
		if !known || request.Method != http.MethodGet {
			response.WriteHeader(http.StatusNotFound)
			return
		}
		endpoint(response, request)
	})
}

func answerHello(response http.ResponseWriter, _ *http.Request) {
	response.Header().Set("Content-Type", plainText)
	io.WriteString(response, helloText)
}

// answerWork makes an endpoint of a work that understands these parameters.
func answerWork(do work, parameters ...string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		query, err := readQuery(request.URL.RawQuery, parameters)
		if err != nil {
			answerError(response, err)
			return
		}
		text, elapsed, err := do(query)
		if err != nil {
			answerError(response, err)
			return
		}
		response.Header().Set("Content-Type", plainText)
		response.Header().Set(durationHeader, strconv.FormatInt(elapsed.Nanoseconds(), 10))
		io.WriteString(response, text)
	}
}

func answerError(response http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var bad badQuery
	if errors.As(err, &bad) {
		status = http.StatusBadRequest
	} else if errors.Is(err, fs.ErrNotExist) {
		status = http.StatusNotFound
	}
	http.Error(response, err.Error(), status)
}

// readQuery refuses what nobody would read: a mistyped name would otherwise mean the preset.
func readQuery(text string, parameters []string) (url.Values, error) {
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, badQuery("the query can't be read: " + err.Error())
	}
	for name, values := range query {
		if !contains(parameters, name) || len(values) != 1 {
			return nil, badQuery(fmt.Sprintf("parameter %q is unknown or repeated", name))
		}
	}
	return query, nil
}

func contains(words []string, word string) bool {
	for _, other := range words {
		if other == word {
			return true
		}
	}
	return false
}

// readNumber reads a whole number from 1 to most; absent, it is the preset.
func readNumber(query url.Values, name string, preset, most uint64) (uint64, error) {
	if !query.Has(name) {
		return preset, nil
	}
	number, err := strconv.ParseUint(query.Get(name), 10, 64)
	if err != nil || number < 1 || number > most {
		const form = "%s is %q, and not a whole number from 1 to %d"
		return 0, badQuery(fmt.Sprintf(form, name, query.Get(name), most))
	}
	return number, nil
}
