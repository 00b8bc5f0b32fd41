"""One row for each layer of Keras 3 that the bridge takes: how it is made, and what it reads."""

import keras
import numpy as np

L = keras.layers
RANDOM = np.random.default_rng(1)


def normal(*shape):
    return RANDOM.standard_normal((2, *shape)).astype("float32")


def image(*shape):
    return RANDOM.uniform(0, 255, (2, *shape)).astype("float32")


def whole(top, *shape):
    return RANDOM.integers(0, top, (2, *shape)).astype("int32")


def text(*strings):
    return np.array(strings).reshape(2, -1)


VECTOR, LINE, MAP, VOLUME = normal(6), normal(6, 4), normal(6, 6, 4), normal(4, 4, 4, 2)
STEPS, FRAMES, PHOTO = normal(5, 3), normal(3, 5, 5, 2), image(8, 8, 3)
WORDS = text("cat", "bird", "dog", "fish")
PAIR = (normal(6), normal(6))
TOKENS = (normal(4, 6), normal(3, 6))


def adapted(layer, data):
    layer.adapt(data)
    return layer


# name -> (the layer, its inputs). Where a layer has several rows, the name says what differs after a space.
# "~" at the end: outputs in training mode depend on chance.
ROWS = {
    "Activation": (lambda: L.Activation("hard_sigmoid"), MAP),
    "Activation function": (lambda: L.Activation(keras.activations.sparsemax), VECTOR),
    "ActivityRegularization": (lambda: L.ActivityRegularization(0.1, 0.2), VECTOR),
    "AdaptiveAveragePooling1D": (lambda: L.AdaptiveAveragePooling1D(3), LINE),
    "AdaptiveAveragePooling2D": (lambda: L.AdaptiveAveragePooling2D(2), MAP),
    "AdaptiveAveragePooling3D": (lambda: L.AdaptiveAveragePooling3D(2), VOLUME),
    "AdaptiveMaxPooling1D": (lambda: L.AdaptiveMaxPooling1D(3), LINE),
    "AdaptiveMaxPooling2D": (lambda: L.AdaptiveMaxPooling2D(2), MAP),
    "AdaptiveMaxPooling3D": (lambda: L.AdaptiveMaxPooling3D(2), VOLUME),
    "Add": (lambda: L.Add(), PAIR),
    "AdditiveAttention": (lambda: L.AdditiveAttention(), TOKENS),
    "AlphaDropout~": (lambda: L.AlphaDropout(0.3), VECTOR),
    "Attention": (lambda: L.Attention(use_scale=True), TOKENS),
    "Attention concat": (lambda: L.Attention(score_mode="concat"), TOKENS),
    "AugMix~": (lambda: L.AugMix((0, 255)), PHOTO),
    "AutoContrast": (lambda: L.AutoContrast(), PHOTO),
    "Average": (lambda: L.Average(), PAIR),
    "AveragePooling1D": (lambda: L.AveragePooling1D(2, padding="same"), LINE),
    "AveragePooling2D": (lambda: L.AveragePooling2D((2, 3), strides=1), MAP),
    "AveragePooling3D": (lambda: L.AveragePooling3D(2), VOLUME),
    "BatchNormalization": (lambda: L.BatchNormalization(momentum=0.8), MAP),
    "BatchNormalization vector": (lambda: L.BatchNormalization(epsilon=0.1, scale=False), VECTOR),
    "BatchNormalization axis": (lambda: L.BatchNormalization(axis=1), MAP),
    "Bidirectional": (lambda: L.Bidirectional(L.LSTM(2, return_sequences=True)), STEPS),
    "Bidirectional sum": (
        lambda: L.Bidirectional(
            L.GRU(2, activation="relu"), backward_layer=L.GRU(2, go_backwards=True), merge_mode="sum"
        ),
        STEPS,
    ),
    "CategoryEncoding": (lambda: L.CategoryEncoding(5, output_mode="multi_hot"), whole(5, 3)),
    "CategoryEncoding one_hot": (lambda: L.CategoryEncoding(5, output_mode="one_hot"), whole(5, 1)),
    "CenterCrop": (lambda: L.CenterCrop(4, 5), PHOTO),
    "Concatenate": (lambda: L.Concatenate(axis=1), PAIR),
    "ContrastLimitedAdaptiveHistogramEqualization": (
        lambda: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2)),
        PHOTO,
    ),
    "Conv1D": (lambda: L.Conv1D(3, 2, padding="causal", dilation_rate=2), LINE),
    "Conv1DTranspose": (lambda: L.Conv1DTranspose(3, 2, strides=2), LINE),
    "Conv2D": (lambda: L.Conv2D(4, (3, 2), strides=2, groups=2, activation="silu"), MAP),
    "Conv2D no bias": (lambda: L.Conv2D(4, 3, padding="same", use_bias=False), MAP),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1), MAP),
    "Conv3D": (lambda: L.Conv3D(3, 2), VOLUME),
    "Conv3DTranspose": (lambda: L.Conv3DTranspose(3, 2), VOLUME),
    "ConvLSTM1D": (lambda: L.ConvLSTM1D(2, 2, return_sequences=True), normal(3, 5, 2)),
    "ConvLSTM2D": (lambda: L.ConvLSTM2D(2, 2, recurrent_activation="hard_sigmoid"), FRAMES),
    "ConvLSTM3D": (lambda: L.ConvLSTM3D(2, 2), normal(2, 3, 3, 3, 2)),
    "Cropping1D": (lambda: L.Cropping1D((1, 2)), LINE),
    "Cropping2D": (lambda: L.Cropping2D(((1, 0), (2, 1))), MAP),
    "Cropping3D": (lambda: L.Cropping3D(1), VOLUME),
    "CutMix~": (lambda: L.CutMix(), PHOTO),
    "Dense": (lambda: L.Dense(3, activation="leaky_relu"), VECTOR),
    "Dense sequence": (lambda: L.Dense(3, activation=L.LeakyReLU(0.2)), LINE),
    "DepthwiseConv1D": (lambda: L.DepthwiseConv1D(3, depth_multiplier=2), LINE),
    "DepthwiseConv2D": (lambda: L.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6"), MAP),
    "Discretization": (lambda: L.Discretization([-1.0, 0.0, 0.5]), VECTOR),
    "Discretization adapted": (lambda: adapted(L.Discretization(num_bins=3), normal(30)), VECTOR),
    "Dot": (lambda: L.Dot(axes=1, normalize=True), PAIR),
    "Dropout~": (lambda: L.Dropout(0.3, seed=3), VECTOR),
    "ELU": (lambda: L.ELU(0.5), VECTOR),
    "EinsumDense": (lambda: L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), LINE),
    "Embedding": (lambda: L.Embedding(7, 3), whole(7, 4)),
    "Flatten": (lambda: L.Flatten(), MAP),
    "GRU": (lambda: L.GRU(3, return_sequences=True), STEPS),
    "GRU reset_after": (lambda: L.GRU(3, reset_after=False, return_state=True), STEPS),
    "GRUCell": (lambda: L.RNN(L.GRUCell(3)), STEPS),
    "GaussianDropout~": (lambda: L.GaussianDropout(0.3), VECTOR),
    "GaussianNoise~": (lambda: L.GaussianNoise(0.3), VECTOR),
    "GlobalAveragePooling1D": (lambda: L.GlobalAveragePooling1D(), LINE),
    "GlobalAveragePooling2D": (lambda: L.GlobalAveragePooling2D(keepdims=True), MAP),
    "GlobalAveragePooling3D": (lambda: L.GlobalAveragePooling3D(), VOLUME),
    "GlobalMaxPooling1D": (lambda: L.GlobalMaxPooling1D(), LINE),
    "GlobalMaxPooling2D": (lambda: L.GlobalMaxPooling2D(), MAP),
    "GlobalMaxPooling3D": (lambda: L.GlobalMaxPooling3D(), VOLUME),
    "GroupNormalization": (lambda: L.GroupNormalization(2), MAP),
    "GroupQueryAttention": (lambda: L.GroupQueryAttention(4, 4, 2), TOKENS),
    "HashedCrossing": (lambda: L.HashedCrossing(7), (whole(5, 1), whole(5, 1))),
    "Hashing": (lambda: L.Hashing(5), WORDS),
    "Hashing salt": (lambda: L.Hashing(5, salt=[3, 4]), whole(9, 3)),
    "Identity": (lambda: L.Identity(), VECTOR),
    "IntegerLookup": (lambda: L.IntegerLookup(vocabulary=[3, 5, 7]), whole(9, 4)),
    "IntegerLookup adapted": (lambda: adapted(L.IntegerLookup(), whole(5, 9)), whole(9, 4)),
    "LSTM": (lambda: L.LSTM(3, return_sequences=True, return_state=True), STEPS),
    "LSTM odd": (lambda: L.LSTM(3, recurrent_activation="hard_sigmoid", go_backwards=True), STEPS),
    "LSTMCell": (lambda: L.RNN(L.LSTMCell(3), return_sequences=True, unroll=True), STEPS),
    "Lambda": (lambda: L.Lambda(lambda x: keras.ops.square(x) + 1), VECTOR),
    "LayerNormalization": (lambda: L.LayerNormalization(axis=[1, 2]), MAP),
    "LayerNormalization rms": (lambda: L.LayerNormalization(rms_scaling=True), LINE),
    "LeakyReLU": (lambda: L.LeakyReLU(negative_slope=0.1), VECTOR),
    "Masking": (lambda: L.Masking(0.0), np.where(STEPS > 1, 0, STEPS).astype("float32")),
    "MaxPooling1D": (lambda: L.MaxPooling1D(2), LINE),
    "MaxPooling2D": (lambda: L.MaxPooling2D(3, strides=2, padding="same"), MAP),
    "MaxPooling3D": (lambda: L.MaxPooling3D(2), VOLUME),
    "MaxNumBoundingBoxes": (lambda: L.MaxNumBoundingBoxes(3), PHOTO),
    "Maximum": (lambda: L.Maximum(), PAIR),
    "MelSpectrogram": (
        lambda: L.MelSpectrogram(
            fft_length=16, sequence_stride=8, num_mel_bins=4, sampling_rate=100, max_freq=50, min_freq=5
        ),
        normal(64),
    ),
    "Minimum": (lambda: L.Minimum(), PAIR),
    "MixUp~": (lambda: L.MixUp(), PHOTO),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(2, 3, value_dim=4), TOKENS),
    "MultiHeadAttention gate": (lambda: L.MultiHeadAttention(2, 3, use_gate=True), TOKENS),
    "Multiply": (lambda: L.Multiply(), PAIR),
    "Normalization": (lambda: adapted(L.Normalization(), normal(6) * 3 + 1), VECTOR),
    "Normalization given": (lambda: L.Normalization(mean=2.0, variance=4.0, invert=True), VECTOR),
    "PReLU": (lambda: L.PReLU(shared_axes=[1, 2]), MAP),
    "Permute": (lambda: L.Permute((2, 1)), LINE),
    "Pipeline": (lambda: L.Pipeline([L.Rescaling(0.1), L.CenterCrop(4, 4)]), PHOTO),
    "RMSNormalization": (lambda: L.RMSNormalization(), LINE),
    "RNN": (lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_state=True), STEPS),
    "RandAugment~": (lambda: L.RandAugment((0, 255)), PHOTO),
    "RandomBrightness~": (lambda: L.RandomBrightness(0.2), PHOTO),
    "RandomColorDegeneration~": (lambda: L.RandomColorDegeneration(0.5), PHOTO),
    "RandomColorJitter~": (lambda: L.RandomColorJitter((0, 255), 0.2), PHOTO),
    "RandomContrast~": (lambda: L.RandomContrast(0.2), PHOTO),
    "RandomCrop~": (lambda: L.RandomCrop(5, 4), PHOTO),
    "RandomElasticTransform~": (lambda: L.RandomElasticTransform(), PHOTO),
    "RandomErasing~": (lambda: L.RandomErasing(), PHOTO),
    "RandomFlip~": (lambda: L.RandomFlip("horizontal"), PHOTO),
    "RandomGaussianBlur~": (lambda: L.RandomGaussianBlur(), PHOTO),
    "RandomGrayscale~": (lambda: L.RandomGrayscale(), PHOTO),
    "RandomHue~": (lambda: L.RandomHue(0.2, value_range=(0, 255)), PHOTO),
    "RandomInvert~": (lambda: L.RandomInvert(), PHOTO),
    "RandomPerspective~": (lambda: L.RandomPerspective(), PHOTO),
    "RandomPosterization~": (lambda: L.RandomPosterization(3), PHOTO),
    "RandomRotation~": (lambda: L.RandomRotation(0.2, fill_mode="nearest"), PHOTO),
    "RandomSaturation~": (lambda: L.RandomSaturation(0.2), PHOTO),
    "RandomSharpness~": (lambda: L.RandomSharpness(0.2), PHOTO),
    "RandomShear~": (lambda: L.RandomShear(0.2), PHOTO),
    "RandomTranslation~": (lambda: L.RandomTranslation(0.2, 0.1), PHOTO),
    "RandomZoom~": (lambda: L.RandomZoom(0.2), PHOTO),
    "ReLU": (lambda: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), VECTOR),
    "RepeatVector": (lambda: L.RepeatVector(3), VECTOR),
    "Rescaling": (lambda: L.Rescaling([0.1, 0.2, 0.3], offset=-1), PHOTO),
    "Reshape": (lambda: L.Reshape((-1, 2)), VECTOR),
    "Resizing": (lambda: L.Resizing(5, 4), PHOTO),
    "Resizing padded": (lambda: L.Resizing(5, 4, pad_to_aspect_ratio=True), PHOTO),
    "ReversibleEmbedding": (lambda: L.ReversibleEmbedding(7, 3), whole(7, 4)),
    "STFTSpectrogram": (
        lambda: L.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16),
        normal(64, 1),
    ),
    "SeparableConv1D": (lambda: L.SeparableConv1D(3, 2, depth_multiplier=2), LINE),
    "SeparableConv2D": (lambda: L.SeparableConv2D(3, 2, padding="same"), MAP),
    "SimpleRNN": (lambda: L.SimpleRNN(3), STEPS),
    "SimpleRNNCell": (lambda: L.RNN(L.SimpleRNNCell(3, activation="relu")), STEPS),
    "Softmax": (lambda: L.Softmax(axis=1), LINE),
    "Solarization~": (lambda: L.Solarization(0.1, 0.2), PHOTO),
    "SpatialDropout1D~": (lambda: L.SpatialDropout1D(0.3), LINE),
    "SpatialDropout2D~": (lambda: L.SpatialDropout2D(0.3), MAP),
    "SpatialDropout3D~": (lambda: L.SpatialDropout3D(0.3), VOLUME),
    "SpectralNormalization": (lambda: L.SpectralNormalization(L.Dense(3)), VECTOR),
    "StackedRNNCells": (lambda: L.RNN(L.StackedRNNCells([L.GRUCell(3), L.SimpleRNNCell(2)])), STEPS),
    "StringLookup": (lambda: L.StringLookup(vocabulary=["cat", "dog", "cow"]), WORDS),
    "StringLookup multi_hot": (
        lambda: L.StringLookup(vocabulary=["cat", "dog"], num_oov_indices=1, output_mode="multi_hot"),
        WORDS,
    ),
    "StringLookup invert": (lambda: L.StringLookup(vocabulary=["cat", "dog"], invert=True), whole(3, 4)),
    "StringLookup tf_idf": (
        lambda: L.StringLookup(vocabulary=["cat", "dog"], idf_weights=[0.5, 0.2], output_mode="tf_idf"),
        WORDS,
    ),
    "Subtract": (lambda: L.Subtract(), PAIR),
    "TextVectorization": (
        lambda: L.TextVectorization(vocabulary=["the", "cat", "sat"], output_sequence_length=4),
        text("The cat; sat", "a dog sat"),
    ),
    "TextVectorization tf_idf": (
        lambda: adapted(L.TextVectorization(output_mode="tf_idf", ngrams=2), ["the cat sat", "the dog"]),
        text("The cat; sat", "a dog sat"),
    ),
    "TimeDistributed": (lambda: L.TimeDistributed(L.Conv2D(2, 2)), FRAMES),
    "TimeDistributed norm": (lambda: L.TimeDistributed(L.BatchNormalization()), STEPS),
    "UnitNormalization": (lambda: L.UnitNormalization(), VECTOR),
    "UpSampling1D": (lambda: L.UpSampling1D(2), LINE),
    "UpSampling2D": (lambda: L.UpSampling2D((2, 1), interpolation="bilinear"), MAP),
    "UpSampling3D": (lambda: L.UpSampling3D(2), VOLUME),
    "ZeroPadding1D": (lambda: L.ZeroPadding1D((1, 2)), LINE),
    "ZeroPadding2D": (lambda: L.ZeroPadding2D(((1, 2), (0, 1))), MAP),
    "ZeroPadding3D": (lambda: L.ZeroPadding3D(1), VOLUME),
}


def bare(cls):
    """A model with a layer of a class whose framework need not be installed: it is refused by its class."""
    layer = cls.__new__(cls)
    layer.build = lambda *shape: None
    layer.compute_output_spec = lambda inputs, **kwargs: keras.KerasTensor(inputs.shape)
    L.Layer.__init__(layer, name="foreign")
    inputs = keras.Input((4,))
    return keras.Model(inputs, layer(inputs))


# name -> (a model with the layer, what the error says)
REFUSED = {
    "FlaxLayer": (lambda: bare(L.FlaxLayer), "foreign .FlaxLayer.: it calls Flax"),
    "JaxLayer": (lambda: bare(L.JaxLayer), "foreign .JaxLayer.: it calls JAX"),
    "TFSMLayer": (lambda: bare(L.TFSMLayer), "foreign .TFSMLayer.: it calls a SavedModel"),
    "TorchModuleWrapper": (
        lambda: bare(L.TorchModuleWrapper),
        "foreign .TorchModuleWrapper.: it calls PyTorch",
    ),
}
# Classes that no model has a layer of.
NOT_A_MODEL = {
    "Equalization": "Keras 3.15 returns its own input from it, which no graph can hold",
    "InputLayer": "in every model",
    "InputSpec": "what a layer says of its inputs",
    "Layer": "a base class",
    "Wrapper": "a base class",
}
