package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrProtocol says that results answer different questions and can't share a table.
var ErrProtocol = errors.New("results of different protocols can't be compared")

// question lists the fields of a result.json that say what was asked; results are comparable where
// they agree in all. The last ones are counts of what was judged: where they differ, results leave
// out different images or pairs.
var question = []string{
	"protocol", "pairs", "keys", "label_digest", "protocol_files", "threshold_from", "excluded_identities", "metric", "normalized",
	"max_frames", "draw", "accuracy_kind", "pooling", "classifier", "test_images", "list_given", "classes", "age_sigma", "folds",
	"genuine_pairs", "impostor_pairs", "genuine_pairs_total", "impostor_pairs_total", "missing_pairs", "pairs_excluded", "pairs_overlap",
	"pairs_left_out", "templates", "templates_left_out", "n", "age_n", "gender_n",
}

// source lists those that name the images where nothing above does.
var source = []string{"manifest", "split", "part"}

// asked returns the value of a field as it stands, "" where it is missing.
func (r *result) asked(name string) string {
	if v, ok := r.number(name); ok && v == 0 && (name == "age_n" || name == "gender_n") {
		return "" // a system that does not say it: nothing to compare there
	}
	return string(r.field[name])
}

// differs names the first field in which two results ask something else, "" for none.
func differs(a, b *result) string {
	fields := question
	if a.asked("pairs")+a.asked("keys")+a.asked("label_digest")+a.asked("protocol_files") == "" {
		fields = append(append([]string(nil), source...), fields...)
	}
	if a.protocol() == "all-pairs" {
		fields = append(append([]string(nil), fields...), "seed") // of the folds and samples
	}
	if a.protocol() != b.protocol() {
		return "protocol"
	}
	for _, name := range fields {
		x, y := a.asked(name), b.asked(name)
		if (name == "age_n" || name == "gender_n") && (x == "" || y == "") {
			continue
		}
		if x != y {
			return name
		}
	}
	return ""
}

// group is results that answer one question.
type group struct {
	title   string
	results []*result
}

func (g *group) first() *result { return g.results[0] }

// grouped sorts results by question, in the order of their first. Two of one protocol that differ
// otherwise are refused, unless separate; under compare so are two of one kind of different protocols.
// The error wraps [ErrProtocol] and names the field.
func grouped(results []*result, compare, separate bool) ([]*group, error) {
	var out []*group
next:
	for _, r := range results {
		for _, g := range out {
			if !slices.ContainsFunc(g.results, func(member *result) bool { return differs(member, r) != "" }) {
				g.results = append(g.results, r)
				continue next
			}
		}
		for _, g := range out {
			for _, a := range g.results {
				name := differs(a, r)
				if separate || name == "" || a.protocol() != r.protocol() && !(compare && a.kind() == r.kind()) {
					continue
				}
				return nil, fmt.Errorf("%w: %s and %s differ in %s: %s and %s", ErrProtocol, a.called(), r.called(), name, a.shown(name), r.shown(name))
			}
		}
		out = append(out, &group{results: []*result{r}})
	}
	for _, g := range out {
		g.title = titleOf(g.first())
		n := 0
		for _, other := range out {
			if titleOf(other.first()) == g.title {
				n++
			}
		}
		if n > 1 {
			var names []string
			for _, r := range g.results {
				names = append(names, r.name)
			}
			g.title += ": " + strings.Join(names, ", ")
		}
	}
	return out, nil
}

func (r *result) called() string { return r.name + " (" + r.protocol() + ")" }

func (r *result) shown(name string) string {
	if name == "protocol" {
		return r.protocol()
	}
	if v := r.asked(name); v != "" {
		return v
	}
	return "none"
}

var protocolNames = map[string]string{
	identification: "Identification", attributes: "Age and gender", "all-pairs": "Verification: all pairs",
	"lfw-pairs": "Verification: LFW", "lfw-view-1": "Verification: LFW View 1", "ytf-splits": "Verification: YouTube Faces", "pairs": "Verification: pairs of a file",
	"ijba-compare": "IJB-A 1:1", "ijba-search": "IJB-A 1:N", "ijbb-1:1": "IJB-B 1:1", "ijbb-1:n": "IJB-B 1:N", "ijbc-1:1": "IJB-C 1:1", "ijbc-1:n": "IJB-C 1:N",
	"vggface2-pose": "VGGFace2: similarity by pose", "vggface2-age": "VGGFace2: similarity by age", "vggface2-identify": "VGGFace2: identification by embeddings",
}

// titleOf names a question for people.
func titleOf(r *result) string {
	part := ""
	if p := r.text("part"); p != "" {
		part = fmt.Sprintf(" on part %q", p)
	}
	if name, ok := protocolNames[r.protocol()]; ok {
		return name + part
	}
	return strings.ToUpper(r.kind()[:1]) + r.kind()[1:] + ": " + r.protocol() + part
}
