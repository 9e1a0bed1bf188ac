package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"
)

const (
	guestMarker       = "lockstep:guest\n"
	modulesPattern    = "/modules/*.ko"
	interfaceDeadline = 10 * time.Second
	interfacePoll     = time.Millisecond
)

// interfaceRequest is the kernel's struct ifreq; see netdevice(7).
type interfaceRequest struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// prepareGuest does what an init process must: it loads the drivers and sets up the network.
// Without them nobody can be told anything, so every failure ends the machine.
func prepareGuest(address string) {
	os.Stdout.WriteString(guestMarker)
	if err := loadModules(); err != nil {
		abandonGuest(err)
	}
	if err := setUpNetwork(address); err != nil {
		abandonGuest(err)
	}
}

func abandonGuest(err error) {
	complain(err)
	powerOff()
}

// powerOff ends the virtual machine. It returns only where it is not allowed to.
func powerOff() {
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		complain(fmt.Errorf("power off: %w", err))
		os.Exit(exitFailed)
	}
}

// loadModules loads the kernel modules of the image in the order of their names.
func loadModules() error {
	paths, err := filepath.Glob(modulesPattern)
	if err != nil {
		return err
	}
	parameters := []byte{0}
	for _, path := range paths {
		image, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(image) == 0 {
			return fmt.Errorf("module %s is empty", path)
		}
		_, _, errno := syscall.Syscall(
			syscall.SYS_INIT_MODULE,
			uintptr(unsafe.Pointer(&image[0])),
			uintptr(len(image)),
			uintptr(unsafe.Pointer(&parameters[0])),
		)
		if errno != 0 && errno != syscall.EEXIST {
			return fmt.Errorf("module %s: %w", path, errno)
		}
	}
	return nil
}

// setUpNetwork gives eth0 the address (in CIDR form) and sets it and lo up.
func setUpNetwork(address string) error {
	ip, network, err := net.ParseCIDR(address)
	if err != nil || ip.To4() == nil {
		return fmt.Errorf("guest address %q is no IPv4 address with a prefix length", address)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer syscall.Close(socket)
	if err := setUp(socket, "lo"); err != nil {
		return err
	}
	if err := awaitInterface(socket, "eth0"); err != nil {
		return err
	}
	if err := setAddress(socket, syscall.SIOCSIFADDR, "eth0", ip.To4()); err != nil {
		return err
	}
	if err := setAddress(socket, syscall.SIOCSIFNETMASK, "eth0", net.IP(network.Mask)); err != nil {
		return err
	}
	return setUp(socket, "eth0")
}

// awaitInterface waits until a driver has made the interface.
func awaitInterface(socket int, name string) error {
	for end := time.Now().Add(interfaceDeadline); ; time.Sleep(interfacePoll) {
		request := newRequest(name)
		err := control(socket, syscall.SIOCGIFFLAGS, request)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("interface %s did not appear: %w", name, err)
		}
	}
}

func setUp(socket int, name string) error {
	request := newRequest(name)
	if err := control(socket, syscall.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("flags of %s: %w", name, err)
	}
	flags := (*uint16)(unsafe.Pointer(&request.data[0]))
	*flags |= syscall.IFF_UP | syscall.IFF_RUNNING
	if err := control(socket, syscall.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func setAddress(socket int, operation uintptr, name string, ip net.IP) error {
	request := newRequest(name)
	value := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&request.data[0]))
	value.Family = syscall.AF_INET
	copy(value.Addr[:], ip)
	if err := control(socket, operation, request); err != nil {
		return fmt.Errorf("address %s of %s: %w", ip, name, err)
	}
	return nil
}

func newRequest(name string) *interfaceRequest {
	request := &interfaceRequest{}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	return request
}

func control(socket int, operation uintptr, request *interfaceRequest) error {
	pointer := uintptr(unsafe.Pointer(request))
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), operation, pointer)
	if errno != 0 {
		return errno
	}
	return nil
}
