package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	bridgeIP = "10.244.0.1"
	// podTable is the routing table for what comes from pods.
	podTable = "10244"
)

// setUpNetwork makes the node's address and the pods' bridge, and sees that
// nothing from pods leaves the machine: what is neither the machine itself nor a
// pod is unreachable, at once. (A Service's address never gets as far: it is
// replaced before routing.)
func setUpNetwork() error {
	for _, command := range []string{
		"address replace " + nodeIP + "/32 dev lo",
		"link add " + bridge + " type bridge",
		"address add " + bridgeIP + "/24 dev " + bridge,
		"link set " + bridge + " up",
		// For the machine's own connections to Services: there must be a route
		// before the address is replaced, whichever.
		"route add " + serviceCIDR + " dev " + bridge,
		"route add " + podCIDR + " dev " + bridge + " table " + podTable,
		"route add unreachable default table " + podTable,
		"rule add iif " + bridge + " lookup " + podTable,
	} {
		if err := run("ip", strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}

// cleanNetwork removes the node's address, bridge, pods' interfaces, CNI's
// memory of them, and the chains that kubelet, kube-proxy and CNI made.
func (c *Cluster) cleanNetwork(saved before) {
	for _, name := range links("master", bridge) {
		_ = run("ip", "link", "delete", name)
	}
	for range links("dev", bridge) {
		_ = run("ip", "link", "delete", bridge)
	}
	_ = run("ip", "rule", "delete", "lookup", podTable)
	_ = run("ip", "route", "flush", "table", podTable)
	_ = run("ip", "address", "delete", nodeIP+"/32", "dev", "lo")
	for _, program := range []string{"iptables", "ip6tables"} {
		cleanChains(program, saved.Chains)
	}
	// Connections that were redirected to pods of this cluster would be so still
	// in the next one.
	for _, side := range []string{"--src", "--dst", "--reply-src"} {
		_ = run("conntrack", "--delete", side, podCIDR)
	}
	// CNI remembers each interface, loopback included, with its namespace's path.
	results, _ := filepath.Glob("/var/lib/cni/results/*")
	for _, file := range results {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), c.runDir()+"/") {
			_ = os.Remove(file)
		}
	}
}

// links names network interfaces. It asks ip and not /sys, which shows those of
// the namespace that it was mounted in.
func links(filter ...string) (names []string) {
	out, err := exec.Command("ip", append([]string{"-oneline", "link", "show"}, filter...)...).Output()
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(out), "\n") {
		// 7: veth0a1b@if2: <BROADCAST,...
		if fields := strings.Fields(line); len(fields) > 1 {
			name, _, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "@")
			names = append(names, name)
		}
	}
	return names
}

// ownChains lists the chains with names that only Kubernetes and CNI use, but
// those that were there before.
func ownChains(earlier []string) (chains []string) {
	for _, program := range []string{"iptables", "ip6tables"} {
		table := ""
		for _, line := range saveRules(program) {
			if name, ok := strings.CutPrefix(line, "*"); ok {
				table = name
			}
			if !strings.HasPrefix(line, ":") {
				continue
			}
			chain := program + " " + table + " " + strings.Fields(line[1:])[0]
			if isKubernetes(chain) && !slices.Contains(earlier, chain) {
				chains = append(chains, chain)
			}
		}
	}
	return chains
}

func isKubernetes(chain string) bool {
	name := chain[strings.LastIndex(chain, " ")+1:]
	return strings.HasPrefix(name, "KUBE-") || strings.HasPrefix(name, "CNI-")
}

// cleanChains deletes our chains and the rules that lead to them.
func cleanChains(program string, earlier []string) {
	ours := map[string]bool{}
	for _, chain := range ownChains(earlier) {
		if name, ok := strings.CutPrefix(chain, program+" "); ok {
			ours[name] = true
		}
	}
	if script := removal(saveRules(program), ours); script != "" {
		cmd := exec.Command(program+"-restore", "--noflush")
		cmd.Stdin = strings.NewReader(script)
		_ = cmd.Run()
	}
}

// removal turns saved rules into the script that deletes the chains of ours
// ("<table> <chain>"), one transaction for each table.
func removal(saved []string, ours map[string]bool) string {
	var script, chains, rules []string
	table := ""
	for _, line := range saved {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table, chains, rules = line[1:], nil, nil
		case strings.HasPrefix(line, ":") && ours[table+" "+fields[0][1:]]:
			chains = append(chains, fields[0][1:])
		case strings.HasPrefix(line, "-A ") && !ours[table+" "+fields[1]] && ours[table+" "+jump(fields)]:
			rules = append(rules, "-D"+line[2:])
		case line == "COMMIT" && len(chains) > 0:
			script = append(script, "*"+table)
			script = append(script, rules...)
			for _, chain := range chains {
				script = append(script, "-F "+chain)
			}
			for _, chain := range chains {
				script = append(script, "-X "+chain)
			}
			script = append(script, "COMMIT\n")
		}
	}
	return strings.Join(script, "\n")
}

// jump is the chain that a rule leads to.
func jump(fields []string) string {
	for i, field := range fields[:len(fields)-1] {
		if field == "-j" || field == "-g" {
			return fields[i+1]
		}
	}
	return ""
}

func saveRules(program string) []string {
	out, err := exec.Command(program + "-save").Output()
	if err != nil {
		return nil
	}
	return strings.Split(string(out), "\n")
}
