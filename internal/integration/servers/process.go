//go:build linux

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running server program.
type process struct {
	pid   int
	log   string
	done  chan struct{} // closed when it has ended
	state string        // how, as in "exit status 1"; to be read after done
}

// start runs a program that goes on until it is stopped. The kernel stops it if the test binary
// dies without a chance to.
func (a *account) start(log, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := a.command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread ends that started the program, so the thread is
		// kept until the program is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // the state says the same
		p.state = cmd.ProcessState.String()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop sends a signal and waits until the process is gone; if that takes too long it is killed.
func (p *process) stop(sig syscall.Signal) error {
	if err := syscall.Kill(p.pid, sig); err != nil && err != syscall.ESRCH {
		return err
	}
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		p.kill()
		return fmt.Errorf("process %d did not end after %v and was killed:\n%s", p.pid, sig, tail(p.log))
	}
}

// kill ends the process and its children, at once and as a power cut does: none of them can
// finish anything. It returns when all are gone.
func (p *process) kill() {
	// Stopped first, so that it has no more children than those found.
	_ = syscall.Kill(p.pid, syscall.SIGSTOP)
	family := children(p.pid)
	_ = syscall.Kill(p.pid, syscall.SIGKILL)
	for _, child := range family {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	<-p.done
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(family, alive) {
		<-tick.C
	}
}

// children returns the process ids of the children of pid.
func children(pid int) []int {
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if _, parent, ok := procStat(path); ok && parent == pid {
			if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// alive tells whether a process can still do something; one that waits for its parent to notice
// its end cannot.
func alive(pid int) bool {
	state, _, ok := procStat(fmt.Sprintf("/proc/%d/stat", pid))
	return ok && state != "Z" && state != "X"
}

// procStat reads the state and the parent of a process from its stat file: "pid (name) state ppid …",
// where the name can hold anything.
func procStat(path string) (state string, parent int, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", 0, false
	}
	_, rest, _ := cutLast(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// account is who runs a server: database servers refuse to run as root.
type account struct {
	credential *syscall.Credential // nil: as the test itself
	uid, gid   int
}

// newAccount returns the test's own account, or if that is root's, that of the first user who
// exists.
func newAccount(names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return &account{uid: -1, gid: -1}, nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &account{
			credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
			uid:        int(uid), gid: int(gid),
		}, nil
	}
	return nil, fmt.Errorf("no user to run a server as: neither %s nor nobody exists", strings.Join(names, ", "))
}

// command prepares a program to be run by the account, in an environment without surprises.
func (a *account) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Setpgid: true}
	return cmd
}

// run runs a program to its end.
func (a *account) run(program string, args ...string) error {
	return a.runInput("", program, args...)
}

// runInput runs a program to its end, with something to read.
func (a *account) runInput(input, program string, args ...string) error {
	cmd := a.command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out)
	}
	return nil
}

// folder makes a temporary folder that the account owns.
func (a *account) folder(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", err
	}
	if a.credential != nil {
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			return "", err
		}
	}
	return dir, nil
}
