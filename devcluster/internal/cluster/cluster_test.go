package cluster

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"devcluster/internal/place"
	"devcluster/internal/process"
)

func TestNames(t *testing.T) {
	for name, fits := range map[string]bool{
		"dev": true, "a": true, "team-1": true,
		"": false, "Dev": false, "-a": false, "a-": false, "a.b": false, "../x": false, "locks": false,
		"a-name-of-thirty-one-characters": false,
	} {
		if err := CheckName(name); (err == nil) != fits {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPortsAreFreeAndNotAnotherClusters(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	choose := func(name string) *Cluster {
		c := &Cluster{Name: name}
		if err := mkdir(c.Dir()); err != nil {
			t.Fatal(err)
		}
		if err := c.choosePorts("127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := choose("one")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	again := choose("one")
	if first.Ports != again.Ports {
		t.Errorf("a name's ports changed from %v to %v", first.Ports, again.Ports)
	}
	// "one" has recorded its ports, though nothing listens there yet.
	for _, port := range choose("two").Ports.all() {
		if slices.Contains(first.Ports.all(), port) {
			t.Errorf("port %d was given twice", port)
		}
	}
}

func TestStateInOneWord(t *testing.T) {
	self := process.Self()
	gone := process.Ref{Name: "etcd", PID: self.PID, Start: "1"} // its id was reused
	for want, c := range map[string]Cluster{
		"ready":    {Ready: true, Processes: []process.Ref{self}},
		"starting": {Processes: []process.Ref{self}},
		"damaged":  {Ready: true, Processes: []process.Ref{self, gone}},
		"dead":     {Ready: true, Processes: []process.Ref{gone}},
	} {
		if got := c.State(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOnlyTheLastUserIsTheLast(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	note := func(name string, user process.Ref) string {
		file := filepath.Join(place.State(), "locks", "shared.users", name)
		data, _ := json.Marshal(user)
		if err := errors.Join(mkdir(filepath.Dir(file)), os.WriteFile(file, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	other := note("other", process.Find(os.Getppid()))
	note("killed", process.Ref{PID: os.Getpid(), Start: "1"})
	if Use("shared")() {
		t.Error("another one uses it still")
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if !Use("shared")() {
		t.Error("nobody else uses it")
	}
}

func mkdir(dir string) error { return os.MkdirAll(dir, 0o755) }
