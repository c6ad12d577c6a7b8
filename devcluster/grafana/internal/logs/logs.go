// Package logs writes Grafana's log lines: to stdout, as [log.console] format says.
package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

var levels = map[string]int{"debug": 0, "info": 1, "warn": 2, "error": 3, "critical": 3}

// Log is where the lines go.
type Log struct {
	mutex  sync.Mutex
	out    io.Writer
	level  int
	format string
}

// New gives a log of that level and format: json, text, or console (which is text
// here, without colours).
func New(out io.Writer, level, format string) (*Log, error) {
	known, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log.level: there is no level %q", level)
	}
	if format != "json" && format != "text" && format != "console" {
		return nil, fmt.Errorf("log.console.format: there is no format %q", format)
	}
	return &Log{out: out, level: known, format: format}, nil
}

// Logger writes lines of one part of the server.
type Logger struct {
	log     *Log
	context []any
}

// Logger gives that of a part, with pairs of key and value that all its lines have.
func (l *Log) Logger(name string, pairs ...any) *Logger {
	return &Logger{log: l, context: append([]any{"logger", name}, pairs...)}
}

// Debug writes a line with pairs of key and value, as the others do.
func (l *Logger) Debug(message string, pairs ...any) { l.write("debug", message, pairs) }

// Info writes a line.
func (l *Logger) Info(message string, pairs ...any) { l.write("info", message, pairs) }

// Warn writes a line.
func (l *Logger) Warn(message string, pairs ...any) { l.write("warn", message, pairs) }

// Error writes a line.
func (l *Logger) Error(message string, pairs ...any) { l.write("error", message, pairs) }

func (l *Logger) write(level, message string, pairs []any) {
	if levels[level] < l.log.level {
		return
	}
	all := append(append([]any{}, l.context...), "t", time.Now().Format(time.RFC3339Nano), "level", level, "msg", message)
	all = append(all, pairs...)
	var line []byte
	if l.log.format == "json" {
		line = asJSON(all)
	} else {
		line = asText(all)
	}
	l.log.mutex.Lock()
	defer l.log.mutex.Unlock()
	_, _ = l.log.out.Write(append(line, '\n'))
}

func asJSON(pairs []any) []byte {
	object := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i+1]
		switch v := value.(type) {
		case error:
			value = v.Error()
		case fmt.Stringer:
			value = v.String()
		}
		object[fmt.Sprint(pairs[i])] = value
	}
	line, err := json.Marshal(object)
	if err != nil {
		return []byte(strconv.Quote(err.Error()))
	}
	return line
}

func asText(pairs []any) []byte {
	var line strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		text := fmt.Sprint(pairs[i+1])
		if strings.ContainsAny(text, " \t\n\"=") {
			text = strconv.Quote(text)
		}
		if i > 0 {
			line.WriteByte(' ')
		}
		fmt.Fprintf(&line, "%v=%s", pairs[i], text)
	}
	return []byte(line.String())
}
