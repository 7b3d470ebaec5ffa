package eval

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// printEnd writes what every template protocol left out, and where the report is.
func (x *TemplateInput) printEnd(w io.Writer) {
	fmt.Fprintf(w, "templates %d of %s; %d left out without a face\n", x.Templates, plural(x.Faces, "face"), x.TemplatesLeftOut)
	if x.FacesMissing+x.FacesShared > 0 {
		fmt.Fprintf(w, "faces     %d left out without an embedding, %d in a photo of several subjects\n", x.FacesMissing, x.FacesShared)
	}
	if x.Left > 0 {
		fmt.Fprintf(w, "excluded  %s\n", plural(x.Left, "embedding"))
	}
	if x.Report != "" {
		fmt.Fprintf(w, "report    %s\n", x.Report)
	}
}

// Print writes the result for a terminal.
func (c *Comparison) Print(w io.Writer) {
	fmt.Fprintf(w, "protocol  %s, %s\n", c.Protocol, plural(c.Splits, "split"))
	for k, r := range c.rates() {
		if *r[0] != nil {
			fmt.Fprintf(w, "TAR       %s  at FAR %s\n", shareText(*r[0], *r[1]), farName(math.Pow10(-k-1)))
		}
	}
	if len(c.NotReachable) > 0 {
		fmt.Fprintf(w, "TAR       not reachable at FAR %s with so few impostor pairs\n", strings.Join(c.NotReachable, ", "))
	}
	fmt.Fprintf(w, "EER       %s\n", shareText(c.EER, c.EERStd))
	fmt.Fprintf(w, "AUC       %s\n", shareText(c.AUC, c.AUCStd))
	fmt.Fprintf(w, "pairs     %d genuine and %d impostor; %d left out\n", c.GenuinePairs, c.ImpostorPairs, c.PairsLeftOut)
	c.printEnd(w)
}

// Print writes the result for a terminal.
func (s *TemplateSearch) Print(w io.Writer) {
	fmt.Fprintf(w, "protocol  %s, %s\n", s.Protocol, plurals(s.Galleries, "gallery", "galleries"))
	for _, f := range s.measures() {
		fmt.Fprintf(w, "%-17s  %s\n", f.Name, f.Value)
	}
	fmt.Fprintf(w, "searches  %d mated and %d an impostor's; %d left out\n", s.Mated, s.NonMated, s.SearchesLeftOut)
	s.printEnd(w)
}

// Print writes the result for a terminal.
func (s *TemplateSimilarity) Print(w io.Writer) {
	fmt.Fprintf(w, "protocol  %s, mean cosine over %s; %d left out\n", s.Protocol, plurals(s.Identities, "identity", "identities"), s.IdentitiesLeftOut)
	names := groupNames(s.Groups)
	fmt.Fprintf(w, "%-15s", "")
	for _, n := range names {
		fmt.Fprintf(w, " %14s", n)
	}
	fmt.Fprintln(w)
	for a, n := range names {
		fmt.Fprintf(w, "%-15s", n)
		for b := range names {
			fmt.Fprintf(w, " %14s", decimal(s.Mean[a][b], 4))
		}
		fmt.Fprintln(w)
	}
	s.printEnd(w)
}

// Print writes the result for a terminal.
func (e *Enrolment) Print(w io.Writer) {
	fmt.Fprintf(w, "protocol  %s, %s\n", e.Protocol, e.Classifier)
	fmt.Fprintf(w, "rank 1    %s  (95 %%: %s to %s; chance %s)\n", percent(e.Rank1), percent(e.Rank1Low), percent(e.Rank1High), percent(e.Chance))
	fmt.Fprintf(w, "rank 5    %s  (95 %%: %s to %s)\n", percent(e.Rank5), percent(e.Rank5Low), percent(e.Rank5High))
	fmt.Fprintf(w, "images    %d of %s, %d enrolled; %d left out\n", e.N, plurals(e.Identities, "identity", "identities"), e.Enrolled, e.IdentitiesLeftOut)
	e.printEnd(w)
}
