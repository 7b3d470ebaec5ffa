package eval

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/vf2prep/vf2prep/internal/digest"
)

const used = "used"

// judged is a pair of a pairs file and what became of it.
type judged struct {
	ListedPair
	distance float64
	status   string // used or the reason why not
}

// fromPairs compares the pairs of a file.
func (v *Verification) fromPairs(ctx context.Context, o VerifyOptions) error {
	list, err := OpenPairList(o.Pairs)
	if err != nil {
		return err
	}
	v.Protocol.Name = list.Protocol
	if v.Protocol.Pairs, err = digest.File(o.Pairs); err != nil {
		return err
	}
	items := list.items()
	var chosen *PairList // pairs that the threshold is chosen on
	if o.ThresholdFrom != "" {
		if chosen, err = OpenPairList(o.ThresholdFrom); err != nil {
			return err
		}
		if v.Protocol.ThresholdFrom, err = digest.File(o.ThresholdFrom); err != nil {
			return err
		}
		if chosen.Videos != list.Videos {
			return fmt.Errorf("%s and %s: one has pairs of videos, the other of images: %w", o.Pairs, o.ThresholdFrom, ErrPairs)
		}
		items = append(items, chosen.items()...)
		slices.Sort(items)
		items = slices.Compact(items)
	}
	if list.Videos {
		v.Protocol.Frames = o.MaxFrames
	}
	s, err := v.sides(ctx, o, items, list.Videos)
	if err != nil {
		return err
	}
	for _, why := range s.why {
		v.Skips = append(v.Skips, why)
	}
	v.Skips = append(v.Skips, s.frames...)
	sort.Slice(v.Skips, func(i, j int) bool { return v.Skips[i].Item < v.Skips[j].Item })

	out := newLeaveOut(o, keysKnown(items))
	j := &pairJudge{v: v, s: s, out: out, distance: o.Metric.distance()}
	c, err := j.list(list, true)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Pairs, err)
	}
	out.report(v, o)
	seen, persons := map[string]bool{}, map[string]bool{}
	for _, p := range v.judgements {
		if p.status == used {
			seen[withoutExtension(p.A)], seen[withoutExtension(p.B)], persons[p.PersonA], persons[p.PersonB] = true, true, true, true
		}
	}
	v.Images, v.Identities = len(seen), len(persons)
	if chosen != nil {
		dev, err := j.list(chosen, false)
		if err != nil {
			return fmt.Errorf("%s: %w", o.ThresholdFrom, err)
		}
		c.development = &Fold{dev.genuine.distance, dev.impostor.distance}
	}
	g, i := list.count()
	c.balanced = list.Protocol == ProtocolPairs && g != i
	v.HardGenuine = c.genuine.hardest(s.Embeddings, hardPairs, true)
	v.HardImpostor = c.impostor.hardest(s.Embeddings, hardPairs, false)
	return v.judge(ctx, o, c)
}

// sides returns the vectors of what pairs name, from wherever the options say.
func (v *Verification) sides(ctx context.Context, o VerifyOptions, items []string, videos bool) (*sides, error) {
	e := o.Embeddings
	if e == nil && o.Crop == nil {
		if err := checkRecipe(o.Set, o.Recipe); err != nil {
			return nil, err
		}
		part := o.Part
		if part == "" {
			part = "test"
		}
		v.Part, v.Provenance = part, o.From.of(o.Set)
		var err error
		if e, v.Skips, err = embedPart(ctx, o.Model, o.Set, part, o.NoNormalize, o.Progress); err != nil {
			return nil, err
		}
		e.Skips, v.Skips = v.Skips, nil
	}
	if e == nil {
		s := newSides(o.Model.Width(), o.NoNormalize)
		return s, s.fromFiles(ctx, o, items, videos)
	}
	s := newSides(e.Width, o.NoNormalize)
	return s, s.fromEmbeddings(e, items, videos, o.MaxFrames)
}

// compared is pairs with their distances.
type compared struct {
	genuine, impostor         *pairSet
	genuineFold, impostorFold []int32  // of each pair; -1: in none
	genuineWho, impostorWho   []person // of each pair
	people                    int
	folds                     int
	development               *Fold // distances that the threshold is chosen on instead
	balanced                  bool
}

// person is who is in the two images of a pair, by number.
type person [2]int32

// foldDistances returns each fold's distances.
func (c *compared) foldDistances() []Fold {
	folds := make([]Fold, c.folds)
	for i, d := range c.genuine.distance {
		if k := c.genuineFold[i]; k >= 0 {
			folds[k].Genuine = append(folds[k].Genuine, d)
		}
	}
	for i, d := range c.impostor.distance {
		if k := c.impostorFold[i]; k >= 0 {
			folds[k].Impostor = append(folds[k].Impostor, d)
		}
	}
	return folds
}

// weighed returns the pairs as the bootstrap wants them.
func (c *compared) weighed() []measured {
	out := make([]measured, 0, c.genuine.len()+c.impostor.len())
	for i, d := range c.genuine.distance {
		w := c.genuineWho[i]
		out = append(out, measured{d, weighed{a: w[0], b: w[1], fold: int16(c.genuineFold[i]), genuine: true}})
	}
	for i, d := range c.impostor.distance {
		w := c.impostorWho[i]
		out = append(out, measured{d, weighed{a: w[0], b: w[1], fold: int16(c.impostorFold[i])}})
	}
	return out
}

// pairJudge measures listed pairs.
type pairJudge struct {
	v        *Verification
	s        *sides
	out      *leaveOut
	distance func(a, b []float32) float64
}

// list measures the pairs of a list; with record what becomes of each is kept in the result.
func (j *pairJudge) list(l *PairList, record bool) (*compared, error) {
	v := j.v
	c := &compared{genuine: &pairSet{}, impostor: &pairSet{}, folds: l.Folds}
	firstLeft := ""
	missing := 0
	for _, p := range l.Pairs {
		set, fold, who := c.impostor, &c.impostorFold, &c.impostorWho
		if p.Genuine {
			set, fold, who = c.genuine, &c.genuineFold, &c.genuineWho
		}
		q := judged{ListedPair: p, status: used}
		why, detail := j.why(p)
		if why != "" {
			q.status = why
			if why != excludedIdentity && why != excludedImage && why != trainingIdentity {
				missing++
			}
			if firstLeft == "" {
				firstLeft = detail
			}
		} else {
			a, b := j.s.row[p.A], j.s.row[p.B]
			q.distance = j.distance(j.s.Vector(a), j.s.Vector(b))
			set.a, set.b, set.distance = append(set.a, int32(a)), append(set.b, int32(b)), append(set.distance, q.distance)
			*fold = append(*fold, int32(p.Fold))
			*who = append(*who, person{})
		}
		if !record {
			continue
		}
		if p.Genuine {
			v.GenuinePairsAll++
		} else {
			v.ImpostorPairsAll++
		}
		switch why {
		case "":
		case excludedIdentity, excludedImage:
			v.ExcludedPairs++
		case trainingIdentity:
			v.OverlapPairs++
		default:
			v.MissingPairs++
		}
		if why != "" {
			v.PairsLeftOut = append(v.PairsLeftOut, Skip{fmt.Sprintf("line %d: %s, %s", p.Line, p.A, p.B), why, detail})
		}
		v.judgements = append(v.judgements, q)
	}
	if c.genuine.len() == 0 || c.impostor.len() == 0 {
		detail := ""
		if firstLeft != "" {
			detail = "; the first is left out because of " + firstLeft
		}
		return nil, fmt.Errorf("%d of %d pairs have both images, %d genuine and %d impostor%s: %w",
			len(l.Pairs)-missing, len(l.Pairs), c.genuine.len(), c.impostor.len(), detail, ErrNoPairs)
	}
	j.number(l, c)
	return c, nil
}

// why says why a pair is left out, "" for one that is used.
func (j *pairJudge) why(p ListedPair) (reason, detail string) {
	for _, who := range []string{p.PersonA, p.PersonB} {
		if why := j.out.of(who); why != "" && reason != excludedIdentity {
			reason, detail = why, who
		}
	}
	if reason != "" {
		return reason, detail
	}
	for _, item := range []string{p.A, p.B} {
		if j.out.image(item) {
			reason, detail = excludedImage, item
		}
	}
	if reason != "" {
		return reason, detail
	}
	for _, item := range []string{p.A, p.B} {
		if s, ok := j.s.why[item]; ok {
			return s.Reason, item + ": " + s.Detail
		}
	}
	return "", ""
}

// number gives the people of the pairs that are used numbers in the order of their names.
func (j *pairJudge) number(l *PairList, c *compared) {
	pairUsed := func(p ListedPair) bool { why, _ := j.why(p); return why == "" }
	set := map[string]int32{}
	var names []string
	for _, p := range l.Pairs {
		if !pairUsed(p) {
			continue
		}
		for _, who := range []string{p.PersonA, p.PersonB} {
			if _, ok := set[who]; !ok {
				set[who] = 0
				names = append(names, who)
			}
		}
	}
	sort.Strings(names)
	for i, n := range names {
		set[n] = int32(i)
	}
	c.people = len(names)
	g, i := 0, 0
	for _, p := range l.Pairs {
		switch {
		case !pairUsed(p):
		case p.Genuine:
			c.genuineWho[g] = person{set[p.PersonA], set[p.PersonB]}
			g++
		default:
			c.impostorWho[i] = person{set[p.PersonA], set[p.PersonB]}
			i++
		}
	}
}
