// Command function is the Go function that Lockstep measures in every kind of sandbox. It answers
// GET requests for work of several kinds, tells the device when it is ready, and can be the init
// process of a microVM.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	mainMarker = "lockstep:main\n"

	dataFolder = "/data"

	exitUsage    = 2
	exitNotReady = 3
	exitFailed   = 4

	readyDeadline    = 10 * time.Second
	shutdownDeadline = 250 * time.Millisecond
)

// arguments is what the command line says. In a guest, the address is set on eth0 first. Archives
// are read from the data folder and unpacked in the work folder.
type arguments struct {
	listen       string
	readyURL     string
	guestAddress string
	dataFolder   string
	workFolder   string
}

func main() {
	values, problem := parseArguments(os.Args[1:])
	inGuest := values.guestAddress != ""
	if inGuest {
		prepareGuest(values.guestAddress)
	}
	os.Stdout.WriteString(mainMarker)
	code := exitUsage
	if problem != nil {
		complain(problem)
	} else {
		code = serve(values)
	}
	if inGuest {
		powerOff()
	}
	os.Exit(code)
}

// parseArguments reads the flags. The kernel hands words that it does not know to init, so words
// that are no flags are ignored.
func parseArguments(words []string) (arguments, error) {
	values := arguments{dataFolder: dataFolder, workFolder: os.TempDir()}
	targets := map[string]*string{
		"--listen":        &values.listen,
		"--ready":         &values.readyURL,
		"--guest-address": &values.guestAddress,
		"--data":          &values.dataFolder,
		"--work":          &values.workFolder,
	}
	var problem error
	for i := 0; i < len(words); i++ {
		target, known := targets[words[i]]
		switch {
		case known && i+1 < len(words):
			i++
			*target = words[i]
		case known || len(words[i]) > 1 && words[i][:2] == "--":
			problem = fmt.Errorf("unknown flag or missing value: %s", words[i])
		}
	}
	if problem == nil && (values.listen == "" || values.readyURL == "") {
		problem = errors.New("usage: function --listen ADDRESS:PORT --ready URL")
	}
	return values, problem
}

// serve listens, signals ready and answers until a signal asks it to end. It returns the exit code.
func serve(values arguments) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	listener, err := net.Listen("tcp", values.listen)
	if err != nil {
		complain(err)
		return exitFailed
	}
	server := &http.Server{
		Handler:           newHandler(files{data: values.dataFolder, work: values.workFolder}),
		ReadHeaderTimeout: time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	ready := make(chan error, 1)
	go func() { ready <- signalReady(values.readyURL, listener.Addr()) }()
	for {
		select {
		case err := <-ready:
			if err != nil {
				complain(fmt.Errorf("the ready call failed: %w", err))
				return exitNotReady
			}
			ready = nil
		case err := <-ended:
			complain(err)
			return exitFailed
		case <-stop:
			closing, cancel := context.WithTimeout(context.Background(), shutdownDeadline)
			defer cancel()
			server.Shutdown(closing)
			return 0
		}
	}
}

// signalReady calls the ready URL once, from the address that the function listens on: the device
// knows the instance by it.
func signalReady(url string, listening net.Addr) error {
	dialer := &net.Dialer{}
	if address, ok := listening.(*net.TCPAddr); ok && !address.IP.IsUnspecified() {
		dialer.LocalAddr = &net.TCPAddr{IP: address.IP}
	}
	client := &http.Client{
		Timeout:   readyDeadline,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
	}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

func complain(err error) {
	fmt.Fprintln(os.Stderr, "function:", err)
}
