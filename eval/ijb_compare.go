package eval

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// compareIJBA runs IJB-A's "compare" protocol: of each split the pairs of verify_comparisons_N.csv
// between the templates of verify_metadata_N.csv. Nothing is trained, so train_N.csv is not read.
func compareIJBA(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	tree, err := openTree(o.Meta)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	find := newKeyFinder(o.Embeddings)
	c := &Comparison{}
	example := ""
	for n := 1; n <= ijbaSplits; n++ {
		meta := tree.find(ijbaNames("11", n, "verify_metadata_%d.csv")...)
		pairsFile := tree.find(ijbaNames("11", n, "verify_comparisons_%d.csv")...)
		if meta == "" && pairsFile == "" {
			c.SplitsMissing++
			continue
		}
		if meta == "" || pairsFile == "" {
			return nil, fmt.Errorf("%s: split %d has only one of verify_metadata_%d.csv and verify_comparisons_%d.csv: %w", o.Meta, n, n, n, ErrProtocolFile)
		}
		t, first, err := tree.templates(o, find, &c.TemplateInput, n, meta)
		if err != nil {
			return nil, err
		}
		example = first
		var pairs []TemplatePair
		err = tree.read(pairsFile, func(r io.Reader) error {
			pairs, err = ReadComparisons(r)
			return err
		})
		if err != nil {
			return nil, err
		}
		if err := c.add(ctx, o, n, pairs, t, true); err != nil {
			return nil, err
		}
	}
	if c.SplitsMissing == ijbaSplits {
		return nil, fmt.Errorf("%s: no IJB-A_11_sets/split1/verify_metadata_1.csv and no other split: %w", o.Meta, ErrProtocolFile)
	}
	if c.Faces == 0 {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(o.Embeddings, example))
	}
	c.ProtocolFiles = tree.sum.String()
	c.finish()
	return c, nil
}

// ijbaNames returns where a split's file may lie: in the release's folder, or in one that is the
// root itself.
func ijbaNames(kind string, split int, name string) []string {
	name = fmt.Sprintf(name, split)
	return []string{
		fmt.Sprintf("IJB-A_%s_sets/split%d/%s", kind, split, name),
		fmt.Sprintf("split%d/%s", split, name),
		fmt.Sprintf("IJB-A_%s_sets/%s", kind, name),
	}
}

// templates reads metadata files and builds their templates, counting them in x; it also returns
// an example of a key.
func (tree *protocolTree) templates(o TemplateOptions, find keyFinder, x *TemplateInput, split int, names ...string) (*templateVectors, string, error) {
	var list []Template
	where := ""
	if split > 0 {
		where = fmt.Sprintf("split %d", split)
	}
	example := ""
	for _, name := range names {
		faces, err := tree.faces(name)
		if err != nil {
			return nil, "", err
		}
		some, skips, err := templatesOf(faces, o.KeyWith)
		if err != nil {
			return nil, "", fmt.Errorf("%s/%s:%w", tree.root.Name(), name, err)
		}
		x.skip(skips, where)
		list = append(list, some...)
		example = faces[0].File
	}
	t, err := buildTemplates(list, o.Embeddings, find, o.Pooling)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %s: %w", tree.root.Name(), strings.Join(names, ", "), err)
	}
	x.add(t, where)
	return t, example, nil
}

// compareIJB runs the 1:1 protocol of IJB-B or IJB-C in the form of the public evaluations: the
// pairs of *_template_pair_label.txt between the templates of *_face_tid_mid.txt.
func compareIJB(ctx context.Context, o TemplateOptions) (TemplateResult, error) {
	tree, err := openTree(o.Meta)
	if err != nil {
		return nil, err
	}
	defer tree.close()
	set := o.Protocol[:4]
	c := &Comparison{}
	t, _, err := tree.croppedTemplates(o, set, &c.TemplateInput, nil)
	if err != nil {
		return nil, err
	}
	if t.len() == 0 {
		return nil, fmt.Errorf("%s: %w", o.Meta, noneFound(o.Embeddings, c.Skips[0].Item))
	}
	name, err := tree.need(set+"_template_pair_label.txt", "meta/"+set+"_template_pair_label.txt")
	if err != nil {
		return nil, err
	}
	var pairs []TemplatePair
	err = tree.read(name, func(r io.Reader) error {
		pairs, err = ReadTemplatePairs(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := c.add(ctx, o, 1, pairs, t, false); err != nil {
		return nil, err
	}
	c.ProtocolFiles = tree.sum.String()
	c.finish()
	return c, nil
}

// croppedTemplates builds the templates of *_face_tid_mid.txt whose id wanted holds, nil for
// all. The subjects are wanted's.
func (tree *protocolTree) croppedTemplates(o TemplateOptions, set string, x *TemplateInput, wanted map[int]string) (*templateVectors, bool, error) {
	name := tree.find(set+"_face_tid_mid.txt", "meta/"+set+"_face_tid_mid.txt")
	if name == "" {
		if wanted != nil {
			return nil, false, nil
		}
		_, err := tree.need(set + "_face_tid_mid.txt")
		return nil, false, err
	}
	var faces []Face
	var err error
	err = tree.read(name, func(r io.Reader) error {
		faces, err = ReadFaceMedia(r)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	// The crops have names of their own, one a face: there is nothing to tell apart.
	list, _, err := templatesOf(faces, keyWithFile)
	if err != nil {
		return nil, false, fmt.Errorf("%s/%s:%w", tree.root.Name(), name, err)
	}
	if wanted != nil {
		kept := list[:0]
		for _, tpl := range list {
			if subject, ok := wanted[tpl.ID]; ok {
				tpl.Subject = subject
				kept = append(kept, tpl)
			}
		}
		list = kept
	}
	t, err := buildTemplates(list, o.Embeddings, newKeyFinder(o.Embeddings), o.Pooling)
	if err != nil {
		return nil, false, err
	}
	t.addUnknown(wanted, name)
	x.add(t, "")
	return t, true, nil
}

// addUnknown notes the templates that are wanted and that the list of faces doesn't have.
func (t *templateVectors) addUnknown(wanted map[int]string, list string) {
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := t.known[int32(id)]; !ok {
			t.known[int32(id)] = wanted[id]
			t.lack(int32(id), unknownTemplate, "not in "+list)
		}
	}
}
