package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"devcluster/internal/place"
	"devcluster/internal/process"
)

// StaysAfterWith says whether somebody asked for the cluster with a plain `up`.
func StaysAfterWith(name string) bool {
	c, err := Load(name)
	return err != nil || c == nil || !c.ByWith
}

// Use registers this process as a user of a cluster that may not exist yet. The
// function that it gives ends that, and says whether this was the last user.
func Use(name string) (release func() (last bool)) {
	dir := filepath.Join(place.State(), "locks", name+".users")
	self := process.Self()
	file := filepath.Join(dir, fmt.Sprint(self.PID))
	if data, err := json.Marshal(self); err == nil && os.MkdirAll(dir, 0o755) == nil {
		_ = os.WriteFile(file, data, 0o644)
	}
	return func() bool {
		_ = os.Remove(file)
		last := true
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			var user process.Ref
			other := filepath.Join(dir, entry.Name())
			data, err := os.ReadFile(other)
			if err == nil && json.Unmarshal(data, &user) == nil && user.Alive() {
				last = false
			} else {
				_ = os.Remove(other) // killed before it could say so
			}
		}
		return last
	}
}
