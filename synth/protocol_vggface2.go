package synth

import (
	"fmt"
	"io"
)

// Images of an identity: those of the pose list, those of the age list, and others.
const (
	poseImages  = 30
	ageImages   = 20
	plainImages = 20
)

// vggface2 writes test_posetemp_imglist.txt with 368 in 500 of the identities,
// test_agetemp_imglist.txt with 100 in 500, and test_list.txt with all images.
func (s *protocolSet) vggface2() error {
	id := func(k int) string { return fmt.Sprintf("n%06d", k+1) }
	image := func(k, n int) string { return fmt.Sprintf("%s/%04d_01", id(k), n+1) }
	poses, ages := max(1, s.o.Subjects*368/500), max(1, s.o.Subjects*100/500)
	for _, list := range []struct {
		name        string
		ids, images int
		first       int
		groups      []string
	}{
		{"meta/test_posetemp_imglist.txt", poses, poseImages, 0, []string{"frontal", "three-quarter", "profile"}},
		{"meta/test_agetemp_imglist.txt", ages, ageImages, poseImages, []string{"young", "mature"}},
	} {
		each := list.images / len(list.groups)
		err := s.write(list.name, func(w io.Writer) {
			for k := range list.ids {
				for n := range list.images {
					fmt.Fprintln(w, image(k, list.first+n)+".jpg")
					s.embed(image(k, list.first+n), k, list.first+n, list.groups[n/each])
				}
				s.next += list.images / 5
			}
		})
		if err != nil {
			return err
		}
	}
	s.res.Templates = s.next
	return s.write("meta/test_list.txt", func(w io.Writer) {
		for k := range s.o.Subjects {
			for n := range poseImages + ageImages + plainImages {
				fmt.Fprintln(w, image(k, n)+".jpg")
				s.embed(image(k, n), k, n, "")
			}
		}
	})
}
