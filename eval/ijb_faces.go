package eval

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Face is one row of IJB metadata: a face in a picture or in a frame of a video, in one template.
type Face struct {
	Template int
	Subject  int    // -1: the file doesn't say
	File     string // "img/2.jpg", "frame/12_00034.png", or the number of a crop: "1.jpg"
	Media    int    // faces of one medium, a video say, are averaged before all others
	Sighting int    // which face of the file; -1: the file doesn't say
	Line     int    // from 1
}

// faceColumns are the places of what is read in a row, -1 for none.
type faceColumns struct{ template, subject, file, media, sighting, fields int }

// ReadFaces reads IJB metadata: comma-separated rows with the columns TEMPLATE_ID, SUBJECT_ID,
// FILE or FILENAME, MEDIA_ID and SIGHTING_ID under a head that names them, in any order and with
// any others beside them. Without a head a row is, in this order, TEMPLATE_ID, SUBJECT_ID, FILE,
// MEDIA_ID, SIGHTING_ID and more (IJB-A), or, of four fields, TEMPLATE_ID, SUBJECT_ID, FILENAME,
// SIGHTING_ID (IJB-B and IJB-C). Where there is no MEDIA_ID a sighting is a medium, as the
// protocols of IJB-B and IJB-C number them. Errors say the line and wrap [ErrProtocolFile].
//
// B. F. Klare et al., "Pushing the frontiers of unconstrained face detection and recognition:
// IARPA Janus Benchmark A", CVPR 2015; C. Whitelam et al., "IARPA Janus Benchmark-B Face
// Dataset", CVPR Workshops 2017; B. Maze et al., "IARPA Janus Benchmark - C", ICB 2018.
func ReadFaces(r io.Reader) ([]Face, error) {
	p := newProtocolLines(r)
	var c faceColumns
	var out []Face
	for b := p.next(); b != nil; b = p.next() {
		f := commaFields(b)
		if c.fields == 0 {
			var head bool
			var err error
			if c, head, err = columnsOf(f); err != nil {
				return nil, p.fail(err)
			}
			if head {
				continue
			}
		}
		if len(out) == maxProtocolFaces {
			return nil, p.failf("more than %d faces", maxProtocolFaces)
		}
		face, err := c.face(f)
		if err != nil {
			return nil, p.fail(err)
		}
		face.Line = p.line
		out = append(out, face)
	}
	return out, p.end(len(out), "rows")
}

// columnsOf takes the columns from a head, or from the number of fields where the first line
// begins with a number and is therefore none.
func columnsOf(f []string) (c faceColumns, head bool, err error) {
	if f[0] != "" && f[0][0] >= '0' && f[0][0] <= '9' {
		switch {
		case len(f) >= 5:
			return faceColumns{0, 1, 2, 3, 4, 5}, false, nil
		case len(f) == 4:
			return faceColumns{0, 1, 2, -1, 3, 4}, false, nil
		}
		return c, false, fmt.Errorf("%d fields, want TEMPLATE_ID, SUBJECT_ID, FILE, MEDIA_ID, SIGHTING_ID", len(f))
	}
	find := func(names ...string) int {
		at := slices.IndexFunc(f, func(s string) bool { return slices.Contains(names, strings.ToUpper(s)) })
		c.fields = max(c.fields, at+1)
		return at
	}
	c.template, c.subject, c.file = find("TEMPLATE_ID"), find("SUBJECT_ID"), find("FILE", "FILENAME")
	c.media, c.sighting = find("MEDIA_ID"), find("SIGHTING_ID")
	if c.template < 0 || c.subject < 0 || c.file < 0 || c.media < 0 && c.sighting < 0 {
		return c, true, fmt.Errorf("columns %.200q, want TEMPLATE_ID, SUBJECT_ID, FILE or FILENAME, and MEDIA_ID or SIGHTING_ID", f)
	}
	return c, true, nil
}

func (c faceColumns) face(f []string) (face Face, err error) {
	if len(f) < c.fields {
		return face, fmt.Errorf("%d fields, want at least %d", len(f), c.fields)
	}
	face = Face{File: f[c.file], Media: -1, Sighting: -1}
	if err := checkFaceFile(face.File); err != nil {
		return face, err
	}
	for _, n := range []struct {
		to   *int
		at   int
		name string
	}{{&face.Template, c.template, "template id"}, {&face.Subject, c.subject, "subject id"},
		{&face.Media, c.media, "media id"}, {&face.Sighting, c.sighting, "sighting id"}} {
		if n.at < 0 {
			continue
		}
		if *n.to, err = protocolID(f[n.at], n.name); err != nil {
			return face, err
		}
	}
	if face.Media < 0 {
		face.Media = face.Sighting
	}
	return face, nil
}

// ReadFaceMedia reads a *_face_tid_mid.txt of IJB-B or IJB-C: lines "image template medium",
// separated by spaces, where the image is the file of one face's crop. Errors say the line and
// wrap [ErrProtocolFile].
func ReadFaceMedia(r io.Reader) ([]Face, error) {
	p := newProtocolLines(r)
	var out []Face
	for b := p.next(); b != nil; b = p.next() {
		f := bytes.Fields(b)
		if len(f) != 3 {
			return nil, p.failf("%d fields, want image, template and medium", len(f))
		}
		if len(out) == maxProtocolFaces {
			return nil, p.failf("more than %d faces", maxProtocolFaces)
		}
		face := Face{Subject: -1, File: string(f[0]), Sighting: -1, Line: p.line}
		err := checkFaceFile(face.File)
		if err == nil {
			face.Template, err = protocolID(string(f[1]), "template id")
		}
		if err == nil {
			face.Media, err = protocolID(string(f[2]), "media id")
		}
		if err != nil {
			return nil, p.fail(err)
		}
		out = append(out, face)
	}
	return out, p.end(len(out), "rows")
}
