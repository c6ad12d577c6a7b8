package cluster

import (
	"errors"
	"os"
	"time"

	"devcluster/internal/process"
	"devcluster/internal/talk"
)

// Down ends a cluster and everything that it left on the machine. It is no
// error if there is none.
func Down(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	c := &Cluster{Name: name}
	release, err := c.lock()
	if err != nil {
		return err
	}
	defer release()
	c, err = Load(name)
	if err != nil {
		return err
	}
	if c == nil {
		talk.Sayf("cluster %s is not up", name)
		return nil
	}
	if c.Node || holdsNode(c) {
		releaseNode, err := lockNode()
		if err != nil {
			return err
		}
		defer releaseNode()
	}
	started := time.Now()
	if err := c.clean(); err != nil {
		return err
	}
	talk.Sayf("cluster %s is gone after %.1fs", name, time.Since(started).Seconds())
	return nil
}

// clean works the same for a healthy cluster, a damaged one and the remains of a
// dead one: it looks at what is there, not at what should be.
func (c *Cluster) clean() error {
	// With force: nothing of the cluster is kept, so nothing needs to be flushed,
	// and a polite kubelet or API server takes many seconds to leave.
	err := process.Stop(0, c.Processes...)
	if c.Node || holdsNode(c) {
		err = errors.Join(err, cleanNode(c))
	}
	if err != nil {
		return err // the state is still needed to try again
	}
	return os.RemoveAll(c.Dir())
}
