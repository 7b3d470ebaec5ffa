package eval

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	voids    = map[string]bool{"meta": true, "link": true, "img": true, "br": true, "!doctype": true}
	tagForm  = regexp.MustCompile(`<(/?)([a-z!0-9]+)[^>]*>`)
	linkForm = regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"')> ]*)`)
)

// checkPage makes sure that a page stands alone and that its elements are closed in order.
func checkPage(t *testing.T, page string) {
	t.Helper()
	for _, m := range linkForm.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("page refers to %q outside itself", m[1])
		}
	}
	if strings.Contains(page, "<script") || !strings.Contains(page, `name="viewport"`) || !strings.Contains(page, "prefers-color-scheme: dark") {
		t.Error("page has a script, or no viewport, or no dark colours")
	}
	var open []string
	for _, m := range tagForm.FindAllStringSubmatch(page, -1) {
		switch name := m[2]; {
		case voids[name]:
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Fatalf("</%s> closes %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("elements %v are never closed", open)
	}
}

func TestWriteReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	evil := `<script>alert("1")</script>`
	err := WriteReport(path, Report{
		Title: "All & everything", Lead: "One.\n\nTwo.", Numbers: []Fact{{"top-1", "61.20 %"}},
		Sections: []Section{
			{Title: "Data", Text: evil, Facts: []Fact{{evil, evil}}, Pictures: []Picture{{Alt: "a flow", SVG: []byte("<svg/>")}, {Alt: "b", PNG: []byte("png"), Note: "n"}}},
			{Title: "Table", Tables: []Table{{Title: "T", Head: []string{"identity", "n"}, Rows: [][]string{{"n000001", "12"}, {"x", "-"}}}, {Head: []string{"empty"}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := readText(t, path)
	checkPage(t, page)
	for _, want := range []string{"<title>All &amp; everything</title>", "<p class=\"lead\">Two.</p>", html.EscapeString(evil)[:20], `<td class="n">12</td>`, "<td>n000001</td>", "data:image/svg&#43;xml;base64,", "data:image/png;base64,"} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if err := WriteReport(path, Report{Title: "broken", Sections: []Section{{Pictures: []Picture{{Alt: "nothing"}}}}}); err == nil {
		t.Error("an empty picture gives no error")
	}
	if readText(t, path) != page {
		t.Error("a failed report replaced the good one")
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("%d files are left, want 1", len(list))
	}
}
