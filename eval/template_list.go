package eval

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// TemplateKind is what the templates of a VGGFace2 list differ in.
type TemplateKind struct {
	Name   string   // "pose" or "age"
	Groups []string // in the list's order; each has templatesAGroup templates
}

// The two lists that come with VGGFace2. Their official readme swaps the descriptions, so they
// are told apart by how many lines an identity has.
var (
	PoseTemplates = TemplateKind{"pose", []string{"frontal", "three_quarter", "profile"}}
	AgeTemplates  = TemplateKind{"age", []string{"young", "mature"}}
)

const (
	templatesAGroup  = 2
	imagesATemplate  = 5
	maxTemplateLines = 10_000_000
)

func (k TemplateKind) lines() int { return len(k.Groups) * templatesAGroup * imagesATemplate }

// TemplateList is the templates of one of VGGFace2's lists.
type TemplateList struct {
	Kind       TemplateKind
	Identities []string
	Images     [][]string // of each identity, Kind's lines of them; "n000001/0001_01.jpg"
}

// Template returns the images of one template: identity i, group g, template t of the group.
func (l *TemplateList) Template(i, g, t int) []string {
	at := (g*templatesAGroup + t) * imagesATemplate
	return l.Images[i][at : at+imagesATemplate]
}

// ReadTemplateList reads test_posetemp_imglist.txt or test_agetemp_imglist.txt of VGGFace2:
// lines "n000001/0001_01.jpg", all of an identity together. With 30 an identity these are poses:
// two frontal templates of five images, two three-quarter ones, two profiles. With 20 they are
// ages: two young templates (below 34 years), two mature ones. Errors say the line and wrap
// [ErrProtocolFile].
//
// Q. Cao, L. Shen, W. Xie, O. M. Parkhi, A. Zisserman, "VGGFace2", FG 2018, sections III and V.
func ReadTemplateList(r io.Reader) (*TemplateList, error) {
	p := newProtocolLines(r)
	l := &TemplateList{}
	seen := map[string]bool{}
	n := 0
	for b := p.next(); b != nil; b = p.next() {
		if n == maxTemplateLines {
			return nil, p.failf("more than %d images", maxTemplateLines)
		}
		name := string(bytes.Fields(b)[0])
		if err := checkFaceFile(name); err != nil {
			return nil, p.fail(err)
		}
		id, _, ok := strings.Cut(name, "/")
		if !ok || id == "" || strings.Count(name, "/") != 1 {
			return nil, p.failf("%.60q, want identity/image.jpg", name)
		}
		if last := len(l.Identities) - 1; last < 0 || l.Identities[last] != id {
			if seen[id] {
				return nil, p.failf("identity %.40s again; want its images together", id)
			}
			if err := l.checkLast(); err != nil {
				return nil, p.failf("before this line: %w", err)
			}
			seen[id] = true
			l.Identities, l.Images = append(l.Identities, id), append(l.Images, nil)
		}
		last := len(l.Images) - 1
		l.Images[last] = append(l.Images[last], name)
		n++
	}
	if err := p.end(n, "rows"); err != nil {
		return nil, err
	}
	if err := l.checkLast(); err != nil {
		return nil, p.fail(err)
	}
	return l, nil
}

// checkLast makes sure that the last identity has as many lines as the first.
func (l *TemplateList) checkLast() error {
	last := len(l.Images) - 1
	if last < 0 {
		return nil
	}
	n := len(l.Images[last])
	if last == 0 {
		switch n {
		case PoseTemplates.lines():
			l.Kind = PoseTemplates
		case AgeTemplates.lines():
			l.Kind = AgeTemplates
		default:
			return fmt.Errorf("identity %.40s has %d images, want %d (poses) or %d (ages)", l.Identities[0], n, PoseTemplates.lines(), AgeTemplates.lines())
		}
	}
	if n != l.Kind.lines() {
		return fmt.Errorf("identity %.40s has %d images, want %d as the first has", l.Identities[last], n, l.Kind.lines())
	}
	return nil
}
