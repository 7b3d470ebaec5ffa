package eval

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/internal/realdata"
)

func TestReadPairs(t *testing.T) {
	ann1, ann2, bob := ImageRef{"Ann", 1}, ImageRef{"Ann", 2}, ImageRef{"Bob_B", 13}
	view2 := &Pairs{Folds: 2, View: 2, Pairs: []Pair{
		{ann1, ann2, true, 0, 2}, {ann1, bob, false, 0, 3},
		{bob, ImageRef{"Bob_B", 14}, true, 1, 4}, {bob, ann2, false, 1, 5},
	}}
	text := "2\t1\nAnn\t1\t2\nAnn\t1\tBob_B\t13\nBob_B\t13\t14\nBob_B\t13\tAnn\t2\n"
	for name, in := range map[string]string{
		"view 2":    text,
		"CRLF, BOM": "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n"),
		"spaces":    strings.ReplaceAll(text, "\t", "  "),
		"no end":    strings.TrimSuffix(text, "\n"),
	} {
		got, err := ReadPairs(strings.NewReader(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(view2, got); d != "" {
			t.Errorf("%s differs (-want +got):\n%s", name, d)
		}
	}
	got, err := ReadPairs(strings.NewReader("1\nAnn\t1\t2\nAnn\t1\tBob_B\t13\n"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&Pairs{Folds: 1, View: 1, Pairs: view2.Pairs[:2]}, got); d != "" {
		t.Errorf("view 1 differs (-want +got):\n%s", d)
	}
	if got := bob.Path(); got != "Bob_B/Bob_B_0013.jpg" {
		t.Errorf("path %q", got)
	}
}

func TestReadPairsRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "0: empty file",
		"ten\t300\n":                `1: folds: "ten"`,
		"1\t2\t3\n":                 "1: 3 fields in the first line",
		"1\t0\n":                    `"0" is not a number from 1`,
		"1000\t1000000\n":           "at most 2000000 pairs",
		"1\t1\nAnn\t1\n":            "2: fold 1, pair 1: 2 fields, want 3",
		"1\t1\nAnn\t1\t2\n":         "2: file ends after 1 pairs, the first line says 2",
		"1\nAnn\t1\t2\nAnn\t1\t2\n": "3: fold 1, pair 2: 3 fields, want 4",
		"1\nAnn\t1\tx\n":            `2: fold 1, pair 1: image number: "x"`,
		"1\nAnn\t1\t-2\n":           `"-2" is not a number`,
		"1\n../etc\t1\t2\n":         `name "../etc" can't be a folder's`,
		"1\n..\t1\t2\n":             `name ".." can't`,
		"1\nAnn\t1\t2\nAnn\t1\tBob\t1\nBob\t1\t2\n":            "more pairs than the 2",
		"1\n" + strings.Repeat("a", 300) + "\t1\t2\n":          "can't be a folder's",
		"1\n" + strings.Repeat("a", 100000) + "\t1\t2\n":       "token too long",
		"1\nAnn\t1\t2\nAnn\t1\tBob\t99999999999999999999999\n": "is not a number",
	} {
		_, err := ReadPairs(strings.NewReader(in))
		if !errors.Is(err, ErrPairs) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want ErrPairs and %q", in, err, want)
		}
	}
}

func TestOpenPairListReadsLFW(t *testing.T) {
	p, err := OpenPairList(filepath.Join(realdata.Dir(t, "lfw_folds1-5"), "pairs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]bool{}
	count := map[bool]int{}
	for _, pair := range p.Pairs {
		images[pair.A], images[pair.B] = true, true
		count[pair.Genuine]++
	}
	// The data's own README gives these numbers.
	if p.Folds != 5 || count[true] != 1500 || count[false] != 1500 || len(images) != 3811 {
		t.Errorf("%d folds, %d genuine, %d impostor, %d images; want 5, 1500, 1500, 3811", p.Folds, count[true], count[false], len(images))
	}
}

func FuzzReadPairs(f *testing.F) {
	f.Add("2\t1\nAnn\t1\t2\nAnn\t1\tBob\t13\nBob\t1\t2\nBob\t13\tAnn\t2\n")
	f.Add("1\r\nAnn 1 2\r\nAnn 1 Bob 1")
	f.Add("\xef\xbb\xbf1\n\n\x00\t1\t2")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPairs(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrPairs) {
				t.Fatalf("error %v does not wrap ErrPairs", err)
			}
			return
		}
		genuine := 0
		for i, pair := range p.Pairs {
			if pair.Genuine {
				genuine++
			}
			if pair.Fold < 0 || pair.Fold >= p.Folds {
				t.Fatalf("pair %d is in fold %d of %d", i, pair.Fold, p.Folds)
			}
			for _, r := range []ImageRef{pair.A, pair.B} {
				if !filepath.IsLocal(filepath.FromSlash(r.Path())) || strings.Count(r.Path(), "/") != 1 {
					t.Fatalf("pair %d leads to %q", i, r.Path())
				}
			}
		}
		if len(p.Pairs) == 0 || 2*genuine != len(p.Pairs) {
			t.Fatalf("%d of %d pairs are genuine", genuine, len(p.Pairs))
		}
	})
}
