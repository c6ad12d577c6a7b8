package cluster

import (
	"errors"
	"fmt"
	"os"
	"time"

	"devcluster/internal/image"
	"devcluster/internal/process"
	"devcluster/internal/talk"
)

// nodeParts is the node of a cluster that is starting.
type nodeParts struct {
	release  func() // of the machine's lock on nodes
	archives []image.Archive
	imported chan error
}

// prepareNode does what needs no cluster: it sees that the machine can host a
// node and that nobody else has it, and builds the images.
func prepareNode(c *Cluster) (*nodeParts, error) {
	if err := requirements(); err != nil {
		return nil, err
	}
	release, err := lockNode()
	if err != nil {
		return nil, err
	}
	node := &nodeParts{release: release, imported: make(chan error, 1)}
	if err = claimNode(c); err == nil {
		node.archives, err = image.Ensure()
	}
	if err != nil {
		release()
		return nil, err
	}
	return node, nil
}

// begin starts what does not need the API server, while that starts: the node's
// address, containerd, and the import of the images.
func (n *nodeParts) begin(s *starter) error {
	if err := recordHolder(s.Cluster); err != nil {
		return err
	}
	if err := s.setUpMachine(); err != nil {
		return err
	}
	for _, step := range []func() error{s.writeCNI, s.writeContainerd, s.writeKubelet} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := s.start(s.containerd()); err != nil {
		return err
	}
	go func() { n.imported <- n.importAll(s) }()
	return nil
}

func (n *nodeParts) importAll(s *starter) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err := s.Ctr("version"); err == nil {
			break
		} else if time.Now().After(deadline) || s.ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, archive := range n.archives {
		if _, err := s.Ctr("images", "import", archive.File); err != nil {
			return talk.Failf("cannot import image %s: %w", archive.Name, err).
				Hinted("it must be a tar of docker save, or an OCI archive; delete %s if it is not", archive.File)
		}
	}
	return nil
}

// finish starts the rest and waits until pods run and find each other by name.
func (n *nodeParts) finish(s *starter) error {
	if err := errors.Join(s.start(s.besideContainerd(s.kubelet(), s.kube.Program("kubelet"))), s.start(s.kubeProxy()), s.start(s.storage()), s.apply("coredns.yaml")); err != nil {
		return err
	}
	err := s.await("the node", 90*time.Second, func() error {
		return s.conditionTrue("node/"+s.nodeName(), s.Server+"/api/v1/nodes/"+s.nodeName(), "Ready")
	})
	if err != nil {
		return err
	}
	select {
	case err = <-n.imported:
	case <-s.ctx.Done():
		err = s.ctx.Err()
	}
	if err != nil {
		return err
	}
	return s.await("CoreDNS", 90*time.Second, func() error {
		return s.conditionTrue("deployment/coredns", s.Server+"/apis/apps/v1/namespaces/kube-system/deployments/coredns", "Available")
	})
}

func (c *Cluster) kubelet() process.Spec {
	return c.kubernetes("kubelet",
		"--config="+c.Dir("kubelet.yaml"), "--kubeconfig="+c.Dir("kubelet.kubeconfig"),
		"--root-dir="+c.Dir("kubelet"), "--cert-dir="+c.Dir("pki", "kubelet"),
		"--hostname-override="+c.nodeName(), "--node-ip="+nodeIP,
		// A deprecated flag of cAdvisor's, and the only way to tell it of a socket
		// elsewhere; without it no series has a container label.
		"--containerd="+c.socket(),
	)
}

func (c *Cluster) kubeProxy() process.Spec {
	return c.kubernetes("kube-proxy",
		"--kubeconfig="+c.Dir("kube-proxy.kubeconfig"), "--hostname-override="+c.nodeName(),
		"--proxy-mode=iptables", "--cluster-cidr="+podCIDR,
		"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
		// Node ports must not appear on the machine's own addresses.
		"--nodeport-addresses="+nodeIP+"/32", "--iptables-localhost-nodeports=false",
		// The machine's connection tracking stays as it is.
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
		"--oom-score-adj=0",
	)
}

func (c *Cluster) storage() process.Spec {
	return c.kubernetes("storage",
		"--kubeconfig="+c.Dir("storage.kubeconfig"), "--dir="+c.Dir("volumes"), "--node="+c.nodeName(), "--filesystem="+volumeFilesystem())
}

func (c *Cluster) writeKubelet() error {
	for _, dir := range []string{"volumes", "kubelet"} {
		if err := os.MkdirAll(c.Dir(dir), 0o755); err != nil {
			return err
		}
	}
	// The host's resolver is no business of pods; a search domain of it would
	// make every lookup slower.
	if err := os.WriteFile(c.Dir("resolv.conf"), []byte("nameserver "+dnsService+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(c.Dir("kubelet.yaml"), fmt.Appendf(nil, `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
healthzBindAddress: 127.0.0.1
tlsCertFile: %[2]s/kubelet.crt
tlsPrivateKeyFile: %[2]s/kubelet.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[2]s/ca.crt}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://%[3]s
cgroupDriver: cgroupfs
cgroupRoot: /%[4]s
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDomain: cluster.local
clusterDNS: [%[5]s]
resolvConf: %[6]s/resolv.conf
# So that a larger claim and a changed ConfigMap reach pods in seconds; the
# default is a minute.
syncFrequency: 10s
volumePluginDir: %[6]s/volume-plugins
# Tests look at volume statistics; the default is a minute.
volumeStatsAggPeriod: 15s
# A developer's disk is often nearly full, and images cannot be pulled again.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 0%%, imagefs.available: 0%%, nodefs.inodesFree: 0%%, imagefs.inodesFree: 0%%}
`, nodeIP, c.Dir("pki"), c.socket(), c.cgroup(), dnsService, c.Dir()), 0o600)
}
