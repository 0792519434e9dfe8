"""Each operator as the nodes of ONNX that compute the same: a function by the name that TensorFlow Lite gives it."""

from accelsim.importers.tflite.operators import elementwise, products, shapes, windows
from accelsim.importers.tflite.operators.call import TRANSLATIONS, Call, UntranslatedError

__all__ = ["TRANSLATIONS", "Call", "UntranslatedError", "elementwise", "products", "shapes", "windows"]
