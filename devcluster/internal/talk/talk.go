// Package talk is the one way in which devcluster speaks to a person: lines on
// stderr, and errors that carry a hint. Stdout belongs to the data that a
// command prints, so that `KUBECONFIG=$(devcluster kubeconfig)` works.
package talk

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Sayf writes one line of progress.
func Sayf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// Failure is an error with the thing to do about it.
type Failure struct {
	Reason error
	Hint   string
}

func (f *Failure) Error() string { return f.Reason.Error() }
func (f *Failure) Unwrap() error { return f.Reason }

// Failf describes what went wrong and why, in lower case and without a full stop.
func Failf(format string, args ...any) *Failure {
	return &Failure{Reason: fmt.Errorf(format, args...)}
}

// Hinted adds what to do about it.
func (f *Failure) Hinted(format string, args ...any) *Failure {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// Report prints an error and, where there is one, its hint.
func Report(err error) {
	fmt.Fprintf(os.Stderr, "error: %s\n", strings.TrimRight(err.Error(), "\n"))
	var failure *Failure
	if errors.As(err, &failure) && failure.Hint != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", failure.Hint)
	}
}

// Minutes writes a duration as a person reads it: 4s, 1m05s.
func Minutes(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 60 {
		return fmt.Sprintf("%ds", s)
	}
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}

// Terminal says whether stderr is one; if not, progress is plain lines.
func Terminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
