// Package progress shows how far a long command is: a bar with rate and time left on a
// terminal, a plain line every few seconds elsewhere. It writes to stderr's stand-in only;
// results never pass through it.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Reporter is what a long job tells of itself. Start begins a stage of total items, Add counts
// finished ones and may be called by many goroutines, Note changes the words beside the count
// and Done ends the stage.
type Reporter interface {
	Start(total int64, stage string)
	Add(n int64)
	Note(text string)
	Done()
}

// Or returns r, or a Reporter that says nothing where r is nil.
func Or(r Reporter) Reporter {
	if r == nil {
		return silent{}
	}
	return r
}

type silent struct{}

func (silent) Start(int64, string) {}
func (silent) Add(int64)           {}
func (silent) Note(string)         {}
func (silent) Done()               {}

// Every is how often a plain line is written where there is no terminal.
const Every = 5 * time.Second

// New returns a Reporter that writes to w: a bar where w is a terminal, else plain lines.
func New(w io.Writer) Reporter {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: w}
	}
	return &lines{w: w, every: Every}
}

type bar struct {
	w     io.Writer
	stage string
	mu    sync.Mutex
	b     *progressbar.ProgressBar
}

func (b *bar) Start(total int64, stage string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stage = stage
	b.b = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(b.w),
		progressbar.OptionSetDescription(stage),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionUseANSICodes(true),
	)
}

func (b *bar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b != nil {
		_ = b.b.Add64(n)
	}
}

func (b *bar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b != nil {
		b.b.Describe(b.stage + " " + text)
	}
}

func (b *bar) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b != nil {
		_ = b.b.Finish()
		b.b = nil
	}
}

type lines struct {
	w     io.Writer
	every time.Duration

	mu    sync.Mutex
	stage string
	note  string
	total int64
	start time.Time
	next  time.Time
	done  atomic.Int64
}

func (l *lines) Start(total int64, stage string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stage, l.total, l.note = stage, total, ""
	l.done.Store(0)
	l.start = time.Now()
	l.next = l.start.Add(l.every)
}

func (l *lines) Add(n int64) {
	l.done.Add(n)
	if !l.mu.TryLock() { // someone else is looking at the clock
		return
	}
	defer l.mu.Unlock()
	if now := time.Now(); !l.start.IsZero() && now.After(l.next) {
		l.next = now.Add(l.every)
		l.print(now)
	}
}

func (l *lines) Note(text string) {
	l.mu.Lock()
	l.note = text
	l.mu.Unlock()
}

func (l *lines) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		return
	}
	if now := time.Now(); now.Sub(l.start) > l.every { // a short stage needs no last word
		l.print(now)
	}
	l.start = time.Time{}
}

func (l *lines) print(now time.Time) {
	done := l.done.Load()
	rate := float64(done) / now.Sub(l.start).Seconds()
	text := fmt.Sprintf("%s: %d", l.stage, done)
	if l.total > 0 {
		text += fmt.Sprintf(" of %d", l.total)
	}
	text += fmt.Sprintf(", %.0f/s", rate)
	if rate > 0 && l.total > done {
		text += fmt.Sprintf(", %s left", time.Duration(float64(l.total-done)/rate*1e9).Round(time.Second))
	}
	if l.note != "" {
		text += ", " + l.note
	}
	fmt.Fprintln(l.w, text)
}
