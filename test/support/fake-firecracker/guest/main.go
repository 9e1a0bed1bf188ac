// Command guest stands for the guest of a faked virtual machine monitor: it runs a program in
// network, mount and pid namespaces of its own, and carries Ethernet frames between a tap device
// of the host and the program's eth0. So a function does the same as in a guest: it sets up its
// interface, is process 1, and ends its machine by reboot(2), which ends only its namespace.
//
//	guest TAP HARDWARE-ADDRESS WORDS... <PROGRAM
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

const (
	innerWord   = "--inside"
	tapFile     = 3
	programPath = "/tmp/function"
	frameBytes  = 64 * 1024

	tapFlags = 0x0002 | 0x1000 // IFF_TAP | IFF_NO_PI
	setIff   = 0x400454ca      // TUNSETIFF
	setName  = 15              // PR_SET_NAME

	exitHalted = 10
	exitFailed = 11
)

type interfaceRequest struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: guest TAP HARDWARE-ADDRESS WORDS..."))
	}
	if os.Args[1] == innerWord {
		runInside(os.Args[2], os.Args[3:])
	}
	runOutside(os.Args[1], os.Args[2], os.Args[3:])
}

// runOutside opens the tap device of the host and starts itself in the namespaces.
func runOutside(tap, address string, words []string) {
	file, err := openTap(tap)
	if err != nil {
		fail(fmt.Errorf("tap %s: %w", tap, err))
	}
	command := exec.Command("/proc/self/exe", append([]string{innerWord, address}, words...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.ExtraFiles = []*os.File{os.NewFile(uintptr(file), "tap")}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread()
	os.Exit(exitCodeOf(command.Run()))
}

// runInside makes eth0, keeps the program that comes by standard input, and runs it.
func runInside(address string, words []string) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		fail(fmt.Errorf("private mounts: %w", err))
	}
	if err := syscall.Mount("fake-guest", "/tmp", "tmpfs", 0, ""); err != nil {
		fail(fmt.Errorf("/tmp: %w", err))
	}
	if err := keepProgram(); err != nil {
		fail(err)
	}
	inside, err := openTap("eth0")
	if err != nil {
		fail(fmt.Errorf("eth0: %w", err))
	}
	if err := setHardwareAddress("eth0", address); err != nil {
		fail(err)
	}
	go carry(tapFile, inside)
	go carryAsProcessor(inside, tapFile)
	command := exec.Command(programPath, words...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread()
	os.Exit(exitCodeOf(command.Run()))
}

func keepProgram() error {
	file, err := os.OpenFile(programPath, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, os.Stdin); err != nil {
		return err
	}
	return file.Close()
}

// exitCodeOf tells a machine that was switched off from one whose first program ended: reboot(2)
// in a pid namespace ends its first process by SIGINT.
func exitCodeOf(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() && status.Signal() == syscall.SIGINT {
			return exitHalted
		}
		if status.Exited() {
			return status.ExitStatus()
		}
	}
	fmt.Fprintln(os.Stderr, "guest:", err)
	return exitFailed
}

func openTap(name string) (int, error) {
	file, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	request := interfaceRequest{}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	*(*uint16)(unsafe.Pointer(&request.data[0])) = tapFlags
	if err := control(file, setIff, &request); err != nil {
		return 0, err
	}
	return file, nil
}

func setHardwareAddress(name, text string) error {
	address, err := net.ParseMAC(text)
	if err != nil {
		return err
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	request := interfaceRequest{}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	*(*uint16)(unsafe.Pointer(&request.data[0])) = syscall.ARPHRD_ETHER
	copy(request.data[2:], address)
	return control(socket, syscall.SIOCSIFHWADDR, &request)
}

func control(file int, operation uintptr, request *interfaceRequest) error {
	pointer := uintptr(unsafe.Pointer(request))
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(file), operation, pointer)
	if errno != 0 {
		return errno
	}
	return nil
}

// carryAsProcessor carries frames in a thread that is named as that of a vCPU.
func carryAsProcessor(from, to int) {
	runtime.LockOSThread()
	name := append([]byte("fc_vcpu 0"), 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, setName, uintptr(unsafe.Pointer(&name[0])), 0)
	carry(from, to)
}

func carry(from, to int) {
	frame := make([]byte, frameBytes)
	for {
		length, err := syscall.Read(from, frame)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			fail(fmt.Errorf("read a frame: %w", err))
		}
		// An interface that is still down takes none.
		syscall.Write(to, frame[:length])
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "guest:", err)
	os.Exit(exitFailed)
}
