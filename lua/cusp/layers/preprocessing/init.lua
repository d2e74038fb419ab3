--- Preprocessing of numbers, words and sound.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.preprocessing
return {
  normalization_preprocessing = "Normalization", discretization = "Discretization",
  category_encoding = "CategoryEncoding", hashing = "Hashing", hashed_crossing = "HashedCrossing",
  string_lookup = "StringLookup", integer_lookup = "IntegerLookup",
  text_vectorization = "TextVectorization", stft_spectrogram = "STFTSpectrogram",
  mel_spectrogram = "MelSpectrogram", pipeline = "Pipeline",
}
