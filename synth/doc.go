// Package synth draws a VGGFace2 of any size: parametric faces as JPEG files, and every metadata
// file in the formats that the real set has, for demonstrations, tests and benchmarks.
//
// Each identity has a face of its own: shape of head, jaw, eyes, brows, nose and mouth; tone of
// skin, hair and eyes; hair style, beard, moles. Women and men differ in the mean of many
// traits; wrinkles, grey hair and proportions follow the age in each photo. What differs from
// photo to photo is pose, light, expression, backdrop, clothes, glasses, hats, size, clipping,
// sharpness, noise and JPEG quality. So a small network can learn who it is, and within limits
// age and gender, but not from a colour alone.
//
// A head is a sheet of vertices with bumps for nose, brows, lips and cheeks, turned in space, lit
// and drawn with a depth buffer; eyes, brows, lips and wrinkles are outlines laid onto it. So
// boxes and landmarks are where the face was put, not estimates.
//
// The stored image is cut as the real ones are: the detector's box extended by 1.0 in total, its
// width at least 0.875 of its height, clipped where the photo ends. Some boxes therefore leave
// the image and some corners are negative.
//
// # Files
//
//	train/n000002/0001_01.jpg              images; test/... likewise, identities disjoint
//	meta/identity_meta.csv                 Class_ID, Name, Sample_Num, Flag, Gender
//	meta/train_list.txt, meta/test_list.txt
//	meta/image_age.csv                     NAME_ID,AGE: not part of VGGFace2, true here
//	bb_landmark/loose_bb_train.csv         and loose_bb_test.csv
//	bb_landmark/loose_landmark_train.csv   and loose_landmark_test.csv
//	attributes/01-Male.txt                 and ten more
//	synth.json                             what was asked for; says that the folder is ours
//
// # Guarantees
//
// The same options give the same pixels and the same metadata on every CPU and with any number
// of workers: arithmetic is integer, or rounded after every product. JPEG bytes also depend on
// the encoder of the Go release.
//
// A file appears under its name only when it is complete. A run that was stopped goes on where
// it was when it is started again with the same options.
//
// The names are invented, and so are the people.
//
// [RunProtocol] writes the files of template protocols (IJB-A, IJB-B, IJB-C, VGGFace2's pose and
// age lists), whose sets can't be had by everybody, with embeddings instead of images.
package synth
