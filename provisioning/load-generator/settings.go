package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
)

const (
	connectionsMax = 16_384
	requestsMax    = 10_000_000
	durationMsMax  = 600_000
	deadlineMsMax  = 3_600_000
	rateMax        = 1_000_000
	threadsMax     = 64
	targetsMax     = 4096
	nullBytesMax   = 1 << 30
)

// target is a server with the request for it.
type target struct {
	address syscall.SockaddrInet4
	request []byte
}

// settings say what a load is.
type settings struct {
	isOpen        bool
	targets       []target
	connections   int
	threads       int
	requests      int64
	durationNs    int64
	timeoutNs     int64
	deadlineNs    int64
	expectStatus  int
	expectBytes   int64
	ratePerSecond float64
	isPoisson     bool
	seed          uint64
}

// nullSettings say what the null server answers.
type nullSettings struct {
	listen     syscall.SockaddrInet4
	bytes      int64
	threads    int
	deadlineNs int64
}

// texts collects the values of a flag that may be repeated.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parseLoad reads the flags of a load.
func parseLoad(mode string, words []string) (*settings, error) {
	if mode != "closed" && mode != "open" {
		return nil, fmt.Errorf("%q is no mode; closed, open or null", mode)
	}
	s := &settings{isOpen: mode == "open"}
	flags := newFlags(mode)
	var addresses texts
	flags.Var(&addresses, "target", "address:port of a server; repeated for more")
	path := flags.String("path", "/hello", "what to ask for")
	flags.IntVar(&s.connections, "connections", 1, "connections, at most")
	flags.IntVar(&s.expectStatus, "expect-status", 200, "status of a good answer")
	flags.Int64Var(&s.expectBytes, "expect-bytes", -1, "body of a good answer; -1: any size")
	durationMs := flags.Int64("duration-ms", 0, "how long requests are sent")
	timeoutMs := flags.Int64("timeout-ms", 10_000, "how long a request may take")
	deadlineMs := flags.Int64("deadline-ms", 60_000, "when all must have ended")
	arrivals := "even"
	if s.isOpen {
		flags.Float64Var(&s.ratePerSecond, "rate", 0, "requests per second")
		flags.StringVar(&arrivals, "arrivals", "even", "even or poisson")
		flags.Uint64Var(&s.seed, "seed", 0, "of what is random")
	} else {
		flags.Int64Var(&s.requests, "requests", 0, "requests in all; 0: as many as go")
		flags.IntVar(&s.threads, "threads", 0, "threads; 0: as many as are of use")
	}
	if err := parse(flags, words); err != nil {
		return nil, err
	}
	s.isPoisson = arrivals == "poisson"
	s.durationNs, s.timeoutNs = *durationMs*nsPerMs, *timeoutMs*nsPerMs
	s.deadlineNs = *deadlineMs * nsPerMs
	if err := s.setTargets(addresses, *path); err != nil {
		return nil, err
	}
	err := errors.Join(
		within("connections", int64(s.connections), 1, connectionsMax),
		within("requests", s.requests, 0, requestsMax),
		within("threads", int64(s.threads), 0, threadsMax),
		within("duration-ms", *durationMs, 0, durationMsMax),
		within("timeout-ms", *timeoutMs, 1, durationMsMax),
		within("deadline-ms", *deadlineMs, 1, deadlineMsMax),
		within("expect-status", int64(s.expectStatus), 200, 599),
		within("expect-bytes", s.expectBytes, -1, math.MaxInt64),
		s.checkEnd(arrivals),
	)
	if s.threads == 0 {
		s.threads = runtime.NumCPU()
	}
	s.threads = min(s.threads, s.connections)
	if s.isOpen {
		s.threads = 1
	}
	return s, err
}

func (s *settings) checkEnd(arrivals string) error {
	if !s.isOpen {
		if s.requests == 0 && s.durationNs == 0 {
			return errors.New("--requests or --duration-ms is missing")
		}
		return nil
	}
	if !(s.ratePerSecond > 0 && s.ratePerSecond <= rateMax) {
		return fmt.Errorf("--rate %g is not above 0 and at most %d", s.ratePerSecond, rateMax)
	}
	if s.durationNs == 0 {
		return errors.New("--duration-ms is missing")
	}
	if arrivals != "even" && arrivals != "poisson" {
		return fmt.Errorf("--arrivals %q is neither even nor poisson", arrivals)
	}
	return nil
}

func (s *settings) setTargets(addresses []string, path string) error {
	if len(addresses) == 0 || len(addresses) > targetsMax {
		return fmt.Errorf("%d times --target; 1 to %d are possible", len(addresses), targetsMax)
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n") {
		return fmt.Errorf("--path %q is no path", path)
	}
	for _, text := range addresses {
		address, err := parseAddress(text)
		if err != nil {
			return err
		}
		request := "GET " + path + " HTTP/1.1\r\nHost: " + text + "\r\n\r\n"
		s.targets = append(s.targets, target{address: address, request: []byte(request)})
	}
	return nil
}

// parseNull reads the flags of the null server.
func parseNull(words []string) (*nullSettings, error) {
	n := &nullSettings{}
	flags := newFlags("null")
	listen := flags.String("listen", "", "address:port; port 0: any")
	flags.Int64Var(&n.bytes, "bytes", 0, "body of each answer")
	flags.IntVar(&n.threads, "threads", 0, "threads; 0: as many as are of use")
	deadlineMs := flags.Int64("deadline-ms", 60_000, "when it must have ended")
	if err := parse(flags, words); err != nil {
		return nil, err
	}
	n.deadlineNs = *deadlineMs * nsPerMs
	address, err := parseAddress(*listen)
	if err != nil {
		return nil, err
	}
	n.listen = address
	if n.threads == 0 {
		n.threads = min(runtime.NumCPU(), threadsMax)
	}
	return n, errors.Join(
		within("bytes", n.bytes, 0, nullBytesMax),
		within("threads", int64(n.threads), 1, threadsMax),
		within("deadline-ms", *deadlineMs, 1, deadlineMsMax),
	)
}

func parse(flags *flag.FlagSet, words []string) error {
	if err := flags.Parse(words); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	return nil
}

func within(name string, value, least, most int64) error {
	if value >= least && value <= most {
		return nil
	}
	return fmt.Errorf("--%s %d is not within %d to %d", name, value, least, most)
}

func parseAddress(text string) (syscall.SockaddrInet4, error) {
	parsed, err := netip.ParseAddrPort(text)
	if err != nil || !parsed.Addr().Is4() {
		return syscall.SockaddrInet4{}, fmt.Errorf("%q is no IPv4 address:port", text)
	}
	return syscall.SockaddrInet4{Addr: parsed.Addr().As4(), Port: int(parsed.Port())}, nil
}
