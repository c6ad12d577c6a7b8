package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestFlagsEndWhereTheCommandBegins(t *testing.T) {
	for _, example := range []struct{ line, name, rest string }{
		{"up", "dev", "[]"},
		{"up --no-node", "api", "[]"},
		{"up --no-node --name ci", "ci", "[]"},
		{"down --name=ci", "ci", "[]"},
		{"with --no-node -- make test --name x", "api", "[make test --name x]"},
		{"kubectl get pods -A", "dev", "[get pods -A]"},
		{"kubectl --name ci -n default get pods", "ci", "[-n default get pods]"},
		{"kubectl --no-node -- --help", "api", "[--help]"},
	} {
		words := strings.Fields(example.line)
		f, rest, err := parse(words[0], commands[words[0]].flags, words[1:])
		if err != nil {
			t.Errorf("%s: %v", example.line, err)
		}
		if f.name() != example.name || fmt.Sprint(rest) != example.rest {
			t.Errorf("%s: cluster %s, rest %v", example.line, f.name(), rest)
		}
	}
}

func TestUnknownFlagsAreRefused(t *testing.T) {
	for _, line := range []string{"up --node", "status --name x", "up --name", "up --name ../x"} {
		words := strings.Fields(line)
		if _, _, err := parse(words[0], commands[words[0]].flags, words[1:]); err == nil {
			t.Errorf("%s was accepted", line)
		}
	}
}
