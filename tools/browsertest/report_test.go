// Package browsertest opens a report in a headless Chromium, as a phone and as a desktop would. It is
// a module of its own so that the main one needs no browser driver; "make test-browser" makes a
// report and runs it.
package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is for machines with other things to do.
const patience = 5 * time.Minute

// chromium returns the browser's path, or skips.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("VF2PREP_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Skip("no Chromium: apt-get install chromium, or set VF2PREP_CHROMIUM")
	return ""
}

// measures is what the page says of itself.
type measures struct {
	Width, Scroll float64  // of the window, and of what is in it
	Broken        []string // images without pixels or without a text for those who can't see them
	Levels        []int    // of the headings in order
	Outside       []string // elements beyond the window's edge that no box of their own scrolls
	Lost          []string // links within the page that lead nowhere
	Contrast      float64  // the least, of text on what lies behind it
	Sections      []struct {
		Title      string
		X, Y, W, H float64
	}
}

const measure = `(() => {
  const box = e => { const r = e.getBoundingClientRect(); return {X: r.left + scrollX, Y: r.top + scrollY, W: r.width, H: r.height}; };
  const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); };
  const light = c => { const m = c.match(/[\d.]+/g).map(Number); return 0.2126 * channel(m[0]) + 0.7152 * channel(m[1]) + 0.0722 * channel(m[2]); };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  const ratio = e => { const a = light(getComputedStyle(e).color), b = light(behind(e)); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
  const all = s => [...document.querySelectorAll(s)];
  return {
    Width: innerWidth, Scroll: document.documentElement.scrollWidth,
    Broken: all('img').filter(i => !i.complete || !i.naturalWidth || !i.alt).map(i => i.alt || i.src.slice(0, 60)),
    Levels: all('h1,h2,h3,h4').map(h => +h.tagName[1]),
    Outside: all('main *').filter(e => !e.closest('table') && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map(e => e.tagName + ' ' + e.className),
    Lost: all('a[href^="#"]').filter(a => !document.getElementById(a.getAttribute('href').slice(1))).map(a => a.textContent),
    Contrast: Math.min(...all('h1,h2,h3,p,td,th,dt,dd,figcaption,nav a').map(ratio)),
    Sections: all('section').map(s => ({Title: s.querySelector('h2').textContent, ...box(s)})),
  };
})()`

func TestReport(t *testing.T) {
	report := os.Getenv("VF2PREP_REPORT")
	if report == "" {
		t.Skip("no report: run make test-browser, or set VF2PREP_REPORT")
	}
	report, err := filepath.Abs(report)
	if err != nil {
		t.Fatal(err)
	}
	at := (&url.URL{Scheme: "file", Path: filepath.ToSlash(report)}).String()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()

	for _, c := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"phone", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}, {"desktop", 1280, 800, "light"}, {"desktop-dark", 1280, 800, "dark"}} {
		t.Run(c.name, func(t *testing.T) {
			tab, cancel := chromedp.NewContext(ctx)
			defer cancel()
			stop := time.AfterFunc(patience, cancel)
			defer stop.Stop()
			var mu sync.Mutex
			var complaints []string
			complain := func(format string, args ...any) {
				mu.Lock()
				complaints = append(complaints, fmt.Sprintf(format, args...))
				mu.Unlock()
			}
			requests := 0
			err := chromedp.Listen(tab, func(event any) {
				switch e := event.(type) {
				case *runtime.EventConsoleAPICalled:
					complain("console: %s", e.Type)
				case *runtime.EventExceptionThrown:
					complain("exception: %s", e.ExceptionDetails.Text)
				case *log.EventEntryAdded:
					complain("log: %s: %s", e.Entry.Level, e.Entry.Text)
				case *network.EventRequestWillBeSent:
					mu.Lock()
					requests++
					mu.Unlock()
					if u := e.Request.URL; u != at && !strings.HasPrefix(u, "data:") {
						complain("request to %s", u)
					}
				}
			})
			must(t, err)
			for _, enable := range []func() error{
				func() error { _, err := chromedp.Call(tab, network.Enable, network.EnableParams{}); return err },
				func() error { _, err := chromedp.Call(tab, log.Enable, cdp.Empty{}); return err },
				func() error {
					_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}})
					return err
				},
			} {
				must(t, enable())
			}
			must(t, chromedp.Do(tab, chromedp.EmulateViewport(c.width, c.height), chromedp.Navigate(at)))
			m, err := chromedp.Run(tab, chromedp.Evaluate[measures](measure))
			must(t, err)
			shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			must(t, err)
			paper, err := chromedp.Run(tab, chromedp.PrintToPDF())
			must(t, err)
			if dir := os.Getenv("VF2PREP_SCREENSHOTS"); dir != "" {
				must(t, os.WriteFile(filepath.Join(dir, c.name+".png"), shot, 0o644))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, text := range complaints {
				t.Error(text)
			}
			if requests == 0 {
				t.Error("not even the page was requested: nobody listens")
			}
			check(t, m, float64(c.width))
			if !bytes.HasPrefix(paper, []byte("%PDF")) || len(paper) < 10_000 {
				t.Errorf("printed, the page has %d bytes", len(paper))
			}
			img, err := png.Decode(bytes.NewReader(shot))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range m.Sections {
				inside := image.Rect(int(s.X), int(s.Y), int(s.X+s.W), int(s.Y+s.H)).Intersect(img.Bounds())
				if share, colours := fill(img, inside); share > 0.995 || colours < 8 {
					t.Errorf("section %q is blank: %.1f %% of one colour, %d colours", s.Title, 100*share, colours)
				}
			}
			corner := img.At(2, 2)
			if dark := grey(corner) < 128; dark != (c.scheme == "dark") {
				t.Errorf("%s background is %v", c.scheme, corner)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, m measures, width float64) {
	t.Helper()
	if m.Width != width || m.Scroll > width {
		t.Errorf("content of %v pixels in a window of %v, want at most %v", m.Scroll, m.Width, width)
	}
	for what, list := range map[string][]string{"broken image": m.Broken, "outside the window": m.Outside, "link to nowhere": m.Lost} {
		for _, item := range list {
			t.Errorf("%s: %s", what, item)
		}
	}
	for i, level := range m.Levels {
		if i == 0 && level != 1 || i > 0 && (level == 1 || level > m.Levels[i-1]+1) {
			t.Errorf("heading %d has level %d, after %v", i, level, m.Levels[:i])
		}
	}
	if !(m.Contrast >= 4.5) { // WCAG 2.2, level AA
		t.Errorf("text with a contrast of %.2f, want at least 4.5", m.Contrast)
	}
	if len(m.Sections) < 4 {
		t.Errorf("%d sections, want at least 4", len(m.Sections))
	}
	below := 0.0
	for _, s := range m.Sections {
		if s.Y < below || s.X < 0 || s.X+s.W > width || s.W < 0.6*width && s.W < 600 || s.H < 60 {
			t.Errorf("section %q lies at %v, %v with %v x %v pixels", s.Title, s.X, s.Y, s.W, s.H)
		}
		below = s.Y + s.H
	}
}

// fill returns the share of a rectangle's most frequent colour, and how many colours there are.
func fill(img image.Image, r image.Rectangle) (share float64, colours int) {
	count := map[color.Color]int{}
	most, n := 0, 0
	for y := r.Min.Y; y < r.Max.Y; y += 2 {
		for x := r.Min.X; x < r.Max.X; x += 2 {
			c := img.At(x, y)
			count[c]++
			most = max(most, count[c])
			n++
		}
	}
	if n == 0 {
		return 1, 0
	}
	return float64(most) / float64(n), len(count)
}

func grey(c color.Color) uint8 { return color.GrayModel.Convert(c).(color.Gray).Y }
