package synth

import (
	"fmt"
	"io"

	"github.com/vf2prep/vf2prep/rng"
)

// A subject of the IJB sets has photos of one face each and videos of several frames.
const (
	subjectPhotos = 8
	subjectVideos = 2
	videoFrames   = 4
	ijbaSplits    = 10
	sharedEvery   = 10 // of so many subjects one shares a photo with the next
)

// ijbFace is a face in a file.
type ijbFace struct {
	file            string
	media, sighting int
}

// ijbMedium is a photo with one face, or a video.
type ijbMedium []ijbFace

// media returns a subject's media: photos first.
func (s *protocolSet) media(subject int) (out []ijbMedium) {
	const each = subjectPhotos + subjectVideos
	for m := range each {
		id := subject*each + m + 1
		if m < subjectPhotos {
			photo := id
			if m == 0 && subject%sharedEvery == 1 {
				photo = (subject-1)*each + 1 // that of the subject before
			}
			out = append(out, ijbMedium{{fmt.Sprintf("img/%d.jpg", photo), id, id}})
			continue
		}
		var v ijbMedium
		for f := range videoFrames {
			v = append(v, ijbFace{fmt.Sprintf("frame/%d_%05d.png", id, f*25+1), id, id})
		}
		out = append(out, v)
	}
	return out
}

// ijbTemplate is a template and its media.
type ijbTemplate struct {
	id, subject int
	media       []ijbMedium
}

func (t ijbTemplate) faces() (out []ijbFace) {
	for _, m := range t.media {
		out = append(out, m...)
	}
	return out
}

// deal makes n templates of a subject's media: the first has half of them, the next ones one
// each, and the last what is left.
func (s *protocolSet) deal(subject, n int, r *rng.Rand) []ijbTemplate {
	media := s.media(subject)
	r.Shuffle(len(media), func(i, j int) { media[i], media[j] = media[j], media[i] })
	at := len(media) / 2
	out := []ijbTemplate{{s.template(), subject, media[:at]}}
	for k := 1; k < n; k++ {
		to := at + 1
		if k == n-1 {
			to = len(media)
		}
		out = append(out, ijbTemplate{s.template(), subject, media[at:to]})
		at = to
	}
	return out
}

// box is where a face is said to be; no image is behind it.
func (s *protocolSet) box(f ijbFace) string {
	r := rng.Stream(s.o.Seed, "protocol-box", f.file, f.sighting)
	return fmt.Sprintf("%d,%d,%d,%d", r.IntN(200), r.IntN(200), 60+r.IntN(80), 80+r.IntN(80))
}

// key is the embedding's: the file, with the sighting where two subjects are in it.
func (s *protocolSet) key(subject int, f ijbFace) string {
	const each = subjectPhotos + subjectVideos
	first := subject
	if subject%sharedEvery == 1 {
		first--
	}
	shared := first%sharedEvery == 0 && first+1 < s.o.Subjects && f.file == fmt.Sprintf("img/%d.jpg", first*each+1)
	if shared {
		return fmt.Sprintf("%s#%d", f.file, f.sighting)
	}
	return f.file
}

// metadata writes templates in IJB-A's columns.
func (s *protocolSet) metadata(name string, list []ijbTemplate) error {
	return s.write(name, func(w io.Writer) {
		fmt.Fprintln(w, "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FRAME,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT")
		for _, t := range list {
			for _, f := range t.faces() {
				frame := ""
				if f.file[0] == 'f' {
					frame = f.file[len(f.file)-9 : len(f.file)-4]
				}
				fmt.Fprintf(w, "%d,%d,%s,%d,%d,%s,%s\n", t.id, t.subject+1, f.file, f.media, f.sighting, frame, s.box(f))
				s.embed(s.key(t.subject, f), t.subject, f.media, "")
			}
		}
	})
}

// ijba writes ten splits: two thirds of the subjects train, of the others a third is in no gallery.
func (s *protocolSet) ijba() error {
	for n := 1; n <= ijbaSplits; n++ {
		r := rng.Stream(s.o.Seed, "protocol-split", n)
		order := r.Perm(s.o.Subjects)
		cut := s.o.Subjects * 2 / 3
		var train, verify, gallery, probes []ijbTemplate
		for k, subject := range order {
			if k < cut {
				train = append(train, ijbTemplate{s.template(), subject, s.media(subject)})
				continue
			}
			verify = append(verify, s.deal(subject, 4, r)...)
			search := s.deal(subject, 4, r)
			if (k-cut)%3 > 0 {
				gallery = append(gallery, search[0])
			}
			probes = append(probes, search[1:]...)
		}
		one, many := fmt.Sprintf("IJB-A_11_sets/split%d/", n), fmt.Sprintf("IJB-A_1N_sets/split%d/", n)
		for _, f := range []struct {
			name string
			list []ijbTemplate
		}{{one + "train_%d.csv", train}, {one + "verify_metadata_%d.csv", verify}, {many + "train_%d.csv", train},
			{many + "search_gallery_%d.csv", gallery}, {many + "search_probe_%d.csv", probes}} {
			if err := s.metadata(fmt.Sprintf(f.name, n), f.list); err != nil {
				return err
			}
		}
		err := s.write(one+fmt.Sprintf("verify_comparisons_%d.csv", n), func(w io.Writer) {
			for _, p := range pairs(verify, verify, r) {
				fmt.Fprintf(w, "%d,%d\n", p.a.id, p.b.id)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type ijbPair struct{ a, b ijbTemplate }

// impostorsEach is how many impostor pairs a template gets.
const impostorsEach = 20

// pairs returns every genuine pair of a template of a and one of b, each once, and some impostor
// pairs.
func pairs(a, b []ijbTemplate, r *rng.Rand) (out []ijbPair) {
	for _, x := range a {
		others := 0
		for _, y := range b {
			switch {
			case y.subject != x.subject:
				others++
			case x.id < y.id:
				out = append(out, ijbPair{x, y})
			}
		}
		for n := 0; n < min(impostorsEach, others); {
			if y := b[r.IntN(len(b))]; y.subject != x.subject {
				out = append(out, ijbPair{x, y})
				n++
			}
		}
	}
	return out
}

// ijb writes the files of IJB-B or IJB-C. Crops are numbered in the order of gallery 1, gallery 2
// and probes, as the public evaluations do.
func (s *protocolSet) ijb(set string) error {
	r := rng.Stream(s.o.Seed, "protocol-"+set)
	var galleries [2][]ijbTemplate
	var probes []ijbTemplate
	for k, subject := range r.Perm(s.o.Subjects) {
		t := s.deal(subject, 4, r)
		galleries[k%2] = append(galleries[k%2], t[0])
		probes = append(probes, t[1:]...)
	}
	letter := map[string]string{"ijbb": "S", "ijbc": "G"}[set]
	number := 0
	var rows []string
	for _, f := range []struct {
		name string
		list []ijbTemplate
	}{{"gallery_" + letter + "1", galleries[0]}, {"gallery_" + letter + "2", galleries[1]}, {"probe_mixed", probes}} {
		err := s.write("meta/"+set+"_1N_"+f.name+".csv", func(w io.Writer) {
			fmt.Fprintln(w, "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT")
			for _, t := range f.list {
				for _, face := range t.faces() {
					number++
					crop := fmt.Sprintf("%d.jpg", number)
					rows = append(rows, fmt.Sprintf("%s %d %d", crop, t.id, face.media))
					fmt.Fprintf(w, "%d,%d,%s,%d,%s\n", t.id, t.subject+1, face.file, face.sighting, s.box(face))
					s.embed(crop, t.subject, face.media, "")
				}
			}
		})
		if err != nil {
			return err
		}
	}
	err := s.write("meta/"+set+"_face_tid_mid.txt", func(w io.Writer) {
		for _, line := range rows {
			fmt.Fprintln(w, line)
		}
	})
	if err != nil {
		return err
	}
	return s.write("meta/"+set+"_template_pair_label.txt", func(w io.Writer) {
		for _, p := range pairs(append(galleries[0], galleries[1]...), probes, r) {
			label := 0
			if p.a.subject == p.b.subject {
				label = 1
			}
			fmt.Fprintf(w, "%d %d %d\n", p.a.id, p.b.id, label)
		}
	})
}
