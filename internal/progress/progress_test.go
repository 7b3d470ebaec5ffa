package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLinesSayStageCountAndRate(t *testing.T) {
	var out bytes.Buffer
	l := &lines{w: &out, every: time.Nanosecond}
	l.Start(40, "cache")
	l.Note("2 rejected")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				l.Add(1)
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Millisecond)
	l.Done()
	got := out.String()
	for _, want := range []string{"cache: 40 of 40", "/s", "2 rejected"} {
		if !strings.Contains(got, want) {
			t.Errorf("output lacks %q:\n%s", want, got)
		}
	}
}

func TestNilReporterIsSilent(t *testing.T) {
	r := Or(nil)
	r.Start(1, "x")
	r.Add(1)
	r.Note("n")
	r.Done()
}
