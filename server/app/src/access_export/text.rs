//! Plain texts of an export.

/// A text that is added to.
pub(super) struct Text(String);

impl Text {
    pub(super) fn new(title: &str) -> Self {
        Self(format!("{title}\n"))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn field(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(&format!("{name}: {value}"));
        }
    }

    pub(super) fn heading(&mut self, title: &str) {
        self.0.push('\n');
        self.line(&format!("== {title} =="));
    }

    pub(super) fn part(&mut self, title: &str, body: Option<&str>) {
        if let Some(body) = body {
            self.heading(title);
            self.line(body);
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}
