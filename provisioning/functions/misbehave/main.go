// Command function misbehaves in one chosen way. Apart from that it keeps the contract of a
// function. The first word of the command line says how; guest_linux.go comes from the Go function
// that is measured.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	exitFailed     = 4
	exitOnPurpose  = 7
	printLines     = 4_000
	crashDelay     = 100 * time.Millisecond
	childCount     = 3
	childMode      = "child"
	readyDeadline  = 10 * time.Second
	headerDeadline = time.Minute
)

func main() {
	mode, values := parseArguments(os.Args[1:])
	if mode == childMode {
		// A child that only lives; it must not outlive its sandbox.
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		select {}
	}
	if address := values["--guest-address"]; address != "" {
		prepareGuest(address)
		defer powerOff()
	}
	os.Stdout.WriteString("lockstep:main\n")
	if err := serve(mode, values); err != nil {
		complain(err)
	}
}

// parseArguments takes the first word that is no flag as the mode.
func parseArguments(words []string) (string, map[string]string) {
	mode, values := "", map[string]string{}
	for i := 0; i < len(words); i++ {
		if strings.HasPrefix(words[i], "--") && i+1 < len(words) {
			values[words[i]] = words[i+1]
			i++
		} else if mode == "" {
			mode = words[i]
		}
	}
	return mode, values
}

func serve(mode string, values map[string]string) error {
	switch mode {
	case "crash-before-ready":
		end("it crashes before it is ready")
	case "print-much":
		for i := range printLines {
			fmt.Printf("line %d of a function that prints a lot more than anybody wants\n", i)
		}
	case "fork-children":
		if err := startChildren(); err != nil {
			return err
		}
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
	}
	listener, err := net.Listen("tcp", values["--listen"])
	if err != nil {
		return err
	}
	if mode != "never-ready" {
		go signalReady(mode, values["--ready"], listener.Addr())
	}
	server := &http.Server{Handler: answerer(mode), ReadHeaderTimeout: headerDeadline}
	return server.Serve(listener)
}

func answerer(mode string) http.HandlerFunc {
	return func(response http.ResponseWriter, _ *http.Request) {
		if mode == "status-500" {
			response.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(response, "Hello from misbehave!\n")
	}
}

func signalReady(mode string, url string, listening net.Addr) {
	address := listening.(*net.TCPAddr)
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: address.IP}}
	client := &http.Client{
		Timeout:   readyDeadline,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
	}
	response, err := client.Get(url)
	if err != nil {
		end(err.Error())
	}
	response.Body.Close()
	if mode == "crash-after-ready" {
		time.Sleep(crashDelay)
		end("it crashes after it was ready")
	}
}

func startChildren() error {
	for range childCount {
		child := exec.Command(os.Args[0], childMode)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			return err
		}
	}
	return nil
}

func end(reason string) {
	complain(fmt.Errorf("%s", reason))
	os.Exit(exitOnPurpose)
}

func complain(err error) {
	fmt.Fprintln(os.Stderr, "misbehave:", err)
}
