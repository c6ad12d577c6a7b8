package cluster

import (
	"fmt"
	"hash/fnv"
	"net"
	"path/filepath"

	"devcluster/internal/place"
	"devcluster/internal/talk"
)

// ports of the parts that listen. Those of the node are Kubernetes' usual ones.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

func (p ports) all() []int {
	return []int{p.Etcd, p.EtcdPeer, p.APIServer, p.ControllerManager, p.Scheduler}
}

// Below the ports that the kernel gives to clients (32768 and up) and below node
// ports (30000 and up), so that none is taken between choice and use.
const firstPort, lastPort = 20000, 29999

// choosePorts finds free ports and records them, under a lock, since several
// clusters may start at the same time. A name tends to get the same ones again.
func (c *Cluster) choosePorts(host string) error {
	release, err := place.Lock(filepath.Join(place.State(), "locks", "ports."), nil)
	if err != nil {
		return err
	}
	defer release()
	taken := map[int]bool{}
	others, err := All()
	if err != nil {
		return err
	}
	for _, other := range others {
		for _, port := range other.Ports.all() {
			taken[port] = other.Name != c.Name
		}
	}
	hash := fnv.New32a()
	hash.Write([]byte(c.Name))
	next := firstPort + int(hash.Sum32()%(lastPort-firstPort))
	var failed error
	choose := func() int {
		for range lastPort - firstPort {
			port := next
			if next++; next > lastPort {
				next = firstPort
			}
			if taken[port] {
				continue
			}
			if err := free(host, port); err == nil {
				return port
			}
		}
		failed = talk.Failf("no port between %d and %d is free on %s", firstPort, lastPort, host)
		return 0
	}
	c.Ports = ports{choose(), choose(), choose(), choose(), choose()}
	if failed != nil {
		return failed
	}
	return c.save()
}

// free says why a port cannot be listened on, at the host and on loopback.
func free(host string, port int) error {
	for _, address := range []string{"127.0.0.1", host} {
		listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, port))
		if err != nil {
			return err
		}
		listener.Close()
	}
	return nil
}
