//! JSON read exactly: numbers keep their text, so money never passes through a float, and a body
//! is kept as it came.
