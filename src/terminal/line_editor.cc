#include "terminal/line_editor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/utf8.h"
#include "terminal/width.h"

namespace hearth::terminal {
namespace {

constexpr std::string_view kContinuation = "... ";
constexpr std::string_view kBracketedPasteOn = "\x1b[?2004h", kBracketedPasteOff = "\x1b[?2004l";

// A paste of more than this stands in the line as a mark that says what it is.
constexpr size_t kPasteBytesShown = 2000, kPasteLinesShown = 10;
// The marks: private characters of plane 15, which nobody types.
constexpr char32_t kFirstMark = 0xF0000, kLastMark = 0xF00FF;

int resize_pipe[2] = {-1, -1};

void on_resize(int) {
  const int error = errno;
  [[maybe_unused]] const ssize_t put = write(resize_pipe[1], "", 1);
  errno = error;
}

bool is_mark(char32_t code) { return code >= kFirstMark && code <= kLastMark; }

std::string without_marks(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text, at);
    append_utf8(out, is_mark(c.code) ? kReplacement : c.code);
    at += c.bytes;
  }
  return out;
}

size_t common_prefix(const std::vector<std::string>& words) {
  size_t length = words.front().size();
  for (const std::string& word : words) {
    const auto ends = std::mismatch(word.begin(), word.end(), words.front().begin(),
                                    words.front().begin() + static_cast<ptrdiff_t>(
                                        std::min(length, words.front().size())));
    length = static_cast<size_t>(ends.first - word.begin());
  }
  while (length > 0 && length < words.front().size() &&
         (static_cast<uint8_t>(words.front()[length]) & 0xC0) == 0x80)
    --length;
  return length;
}

}  // namespace

TerminalSize size_of_terminal(int descriptor) {
  winsize size = {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row > 0 ? size.ws_row : 24};
}

// No line mode and no echo while the editor lives. Signals stay on but while a line is edited,
// where Ctrl-C is a key like others.
struct LineEditor::Mode {
  int descriptor = -1;
  termios before = {}, quiet = {};

  void set(bool editing) const {
    termios now = quiet;
    if (editing) {
      now.c_lflag &= static_cast<tcflag_t>(~ISIG);
      now.c_iflag &= static_cast<tcflag_t>(~(ICRNL | IXON));
    }
    tcsetattr(descriptor, TCSADRAIN, &now);
  }
  ~Mode() {
    if (descriptor >= 0) tcsetattr(descriptor, TCSADRAIN, &before);
  }
};

LineEditor::LineEditor(EditorOptions options) : options_(std::move(options)) {}
LineEditor::LineEditor(LineEditor&&) noexcept = default;
LineEditor::~LineEditor() = default;

Result<LineEditor> LineEditor::open(EditorOptions options) {
  auto mode = std::make_unique<Mode>();
  if (!isatty(options.in) || tcgetattr(options.in, &mode->before) != 0)
    return fail(Code::kUnsupported, "the input is no terminal");
  mode->descriptor = options.in;
  mode->quiet = mode->before;
  mode->quiet.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO | IEXTEN));
  mode->quiet.c_cc[VMIN] = 1;
  mode->quiet.c_cc[VTIME] = 0;
  if (resize_pipe[0] < 0 && pipe2(resize_pipe, O_NONBLOCK | O_CLOEXEC) != 0)
    return fail(Code::kIo, "cannot make a pipe");
  struct sigaction action = {};
  action.sa_handler = on_resize;
  action.sa_flags = SA_RESTART;
  sigaction(SIGWINCH, &action, nullptr);
  mode->set(false);
  LineEditor editor(std::move(options));
  editor.mode_ = std::move(mode);
  return editor;
}

void LineEditor::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = write(options_.out, text.data(), text.size());
    if (put < 0 && errno != EINTR) return;  // reading will say that the terminal has gone
    if (put > 0) text.remove_prefix(static_cast<size_t>(put));
  }
}

Result<ReadLine> LineEditor::read(std::string_view prompt, std::string initial) {
  prompt_ = prompt;
  line_.set(std::move(initial));
  pastes_.clear();
  history_at_ = options_.history ? options_.history->size() : 0;
  search_.reset();
  mode_->set(true);
  send(kBracketedPasteOn);
  redraw();
  std::vector<Key> keys = std::move(ahead_);
  ahead_.clear();
  bool ended = false;
  while (true) {
    for (size_t i = 0; i < keys.size(); ++i) {
      if (auto done = handle(keys[i])) {
        ahead_.assign(keys.begin() + static_cast<ptrdiff_t>(i) + 1, keys.end());
        return std::move(*done);
      }
    }
    if (!keys.empty()) redraw();
    if (ended) return finish(ReadEnd::kEndOfInput);
    TRY(wait_and_read(keys, ended));
  }
}

// Waits for bytes, for a new size, or for the end of a key that may be a lone Escape.
Result<void> LineEditor::wait_and_read(std::vector<Key>& keys, bool& ended) {
  constexpr int kEscapeMilliseconds = 50;
  keys.clear();
  pollfd ready[] = {{options_.in, POLLIN, 0}, {resize_pipe[0], POLLIN, 0}};
  const int found = poll(ready, 2, decoder_.pending() ? kEscapeMilliseconds : -1);
  if (found < 0 && errno != EINTR) return fail(Code::kIo, "cannot wait for the terminal");
  if (found == 0) {
    keys = decoder_.flush();
    return {};
  }
  if (ready[1].revents) {
    char bytes[64];
    while (::read(resize_pipe[0], bytes, sizeof bytes) > 0) continue;
    screen_.resized(size_of_terminal(options_.out).columns);
    redraw();
  }
  if (!ready[0].revents) return {};
  char bytes[16384];
  const ssize_t got = ::read(options_.in, bytes, sizeof bytes);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got <= 0) ended = true;  // closed; what was typed so far is given up
  else keys = decoder_.push({bytes, static_cast<size_t>(got)});
  return {};
}

ReadLine LineEditor::finish(ReadEnd end) {
  if (end != ReadEnd::kLine) line_.set({});
  line_.line_end();
  ReadLine out{end, expanded(line_.text())};
  send(screen_.leave());
  send(kBracketedPasteOff);
  mode_->set(false);
  if (end == ReadEnd::kLine && options_.history) options_.history->add(out.text);
  return out;
}

std::optional<ReadLine> LineEditor::handle(const Key& key) {
  if (search_) {
    search_key(key);
    if (search_) return std::nullopt;
    // The key that ended the search does what it does.
  }
  const bool tab_again = tab_before_ && key.kind == KeyKind::kTab;
  tab_before_ = tab_again;
  switch (key.kind) {
    case KeyKind::kText: insert_typed(key.text); break;
    case KeyKind::kPaste: insert_paste(key.text); break;
    case KeyKind::kEnter:
      line_.set(line_.text());  // the cursor at the end: the next output begins below all of it
      redraw();
      return finish(ReadEnd::kLine);
    case KeyKind::kNewline: line_.insert("\n"); break;
    case KeyKind::kTab: complete(); break;
    case KeyKind::kControl: return handle_control(key.text[0]);
    default: handle_move(key.kind);
  }
  return std::nullopt;
}

void LineEditor::handle_move(KeyKind kind) {
  switch (kind) {
    case KeyKind::kLeft: line_.left(); break;
    case KeyKind::kRight: line_.right(); break;
    case KeyKind::kWordLeft: line_.word_left(); break;
    case KeyKind::kWordRight: line_.word_right(); break;
    case KeyKind::kHome: line_.line_start(); break;
    case KeyKind::kEnd: line_.line_end(); break;
    case KeyKind::kUp: if (!line_.up()) step_history(-1); break;
    case KeyKind::kDown: if (!line_.down()) step_history(1); break;
    case KeyKind::kBackspace: line_.delete_left(); break;
    case KeyKind::kDelete: line_.delete_right(); break;
    case KeyKind::kDeleteWordLeft: line_.delete_word_left(); break;
    case KeyKind::kDeleteWordRight: line_.delete_word_right(); break;
    default: break;
  }
}

std::optional<ReadLine> LineEditor::handle_control(char letter) {
  switch (letter) {
    case 'c': return finish(ReadEnd::kInterrupted);
    case 'd':
      if (line_.empty()) return finish(ReadEnd::kEndOfInput);
      line_.delete_right();
      break;
    case 'a': line_.line_start(); break;
    case 'e': line_.line_end(); break;
    case 'b': line_.left(); break;
    case 'f': line_.right(); break;
    case 'p': if (!line_.up()) step_history(-1); break;
    case 'n': if (!line_.down()) step_history(1); break;
    case 'w': line_.delete_word_left(); break;
    case 'u': line_.delete_to_line_start(); break;
    case 'k': line_.delete_to_line_end(); break;
    case 'y': line_.yank(); break;
    case 't': line_.transpose(); break;
    case 'l':
      send("\x1b[H\x1b[2J");
      screen_.forget();
      break;
    case 'r':
      if (options_.history) search_ = Search{{}, line_.text(), options_.history->size()};
      break;
    default: break;
  }
  return std::nullopt;
}

void LineEditor::insert_typed(std::string_view text) { line_.insert(without_marks(text)); }

void LineEditor::insert_paste(const std::string& text) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  const bool is_long = text.size() > kPasteBytesShown || lines > kPasteLinesShown;
  if (!is_long || pastes_.size() > kLastMark - kFirstMark) return insert_typed(text);
  std::string mark;
  append_utf8(mark, kFirstMark + static_cast<char32_t>(pastes_.size()));
  pastes_.push_back(text);
  line_.insert(mark);
}

std::string LineEditor::expanded(std::string_view text) const {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text, at);
    const size_t index = c.code - kFirstMark;
    if (is_mark(c.code) && index < pastes_.size()) out += pastes_[index];
    else out += text.substr(at, c.bytes);
    at += c.bytes;
  }
  return out;
}

std::string LineEditor::shown_as(std::string_view cluster) const {
  const char32_t code = decode_utf8(cluster, 0).code;
  if (!is_mark(code) || code - kFirstMark >= pastes_.size()) return {};
  const std::string& paste = pastes_[code - kFirstMark];
  const auto lines = std::count(paste.begin(), paste.end(), '\n') + 1;
  return fmt::format("[pasted: {} bytes, {} lines]", paste.size(), lines);
}

void LineEditor::complete() {
  if (!options_.complete) return;
  Completions found = options_.complete(line_.text(), line_.cursor());
  if (found.words.empty() || found.begin > line_.cursor()) return;
  const size_t length = common_prefix(found.words);
  const size_t typed = line_.cursor() - found.begin;
  if (length > typed || found.words.size() == 1) {
    std::string text = line_.text();
    const std::string rest = text.substr(line_.cursor());
    std::string word = found.words.front().substr(0, length);
    if (found.words.size() == 1 && !word.ends_with('/')) word += ' ';
    line_.set(text.substr(0, found.begin) + word);
    const size_t cursor = line_.cursor();
    line_.insert(rest);
    while (line_.cursor() > cursor) line_.left();
  } else if (tab_before_) {
    list(found.words);
  }
  tab_before_ = true;
}

// The choices below the line, in columns; the line is drawn again below them.
void LineEditor::list(const std::vector<std::string>& words) {
  constexpr size_t kShown = 200;
  int widest = 0;
  for (const std::string& word : words) widest = std::max(widest, width_of(word));
  const int columns = size_of_terminal(options_.out).columns;
  const int across = std::max(1, columns / (widest + 2));
  std::string out = screen_.leave();
  for (size_t i = 0; i < std::min(words.size(), kShown); ++i) {
    out += words[i];
    const bool last = static_cast<int>(i % static_cast<size_t>(across)) == across - 1;
    if (last || i + 1 == words.size()) out += "\r\n";
    else out.append(static_cast<size_t>(widest + 2 - width_of(words[i])), ' ');
  }
  if (words.size() > kShown) out += fmt::format("... and {} more\r\n", words.size() - kShown);
  send(out);
}

void LineEditor::step_history(int direction) {
  const History* history = options_.history;
  if (!history) return;
  if (direction < 0 && history_at_ == 0) return;
  if (direction > 0 && history_at_ >= history->size()) return;
  if (history_at_ == history->size()) unsent_ = line_.text();
  history_at_ = direction < 0 ? history_at_ - 1 : history_at_ + 1;
  line_.set(history_at_ == history->size() ? unsent_ : history->at(history_at_));
}

// While searching: letters narrow it, Ctrl-R goes on to older entries, Escape and Ctrl-G go back to
// what was there; any other key takes the entry and then does its own work.
void LineEditor::search_key(const Key& key) {
  const bool again = key.kind == KeyKind::kControl && key.text == "r";
  const bool back = key.kind == KeyKind::kEscape ||
                    (key.kind == KeyKind::kControl && (key.text == "g" || key.text == "c"));
  if (key.kind == KeyKind::kText) {
    search_->query += key.text;
    search(search_->at == options_.history->size() ? search_->at : search_->at + 1);
  } else if (key.kind == KeyKind::kBackspace) {
    std::string& query = search_->query;
    query.resize(previous_cluster(query, query.size()));
    search(options_.history->size());
  } else if (again) {
    search(search_->at);
  } else {
    if (back) line_.set(search_->before);
    search_.reset();
  }
}

// The newest entry before `from` that contains the query.
void LineEditor::search(size_t from) {
  for (size_t at = from; at-- > 0;) {
    if (options_.history->at(at).find(search_->query) == std::string::npos) continue;
    search_->at = history_at_ = at;
    line_.set(options_.history->at(at));
    return;
  }
}

void LineEditor::redraw() {
  const TerminalSize size = size_of_terminal(options_.out);
  const std::string prompt =
      search_ ? fmt::format("(search: {}) ", search_->query) : prompt_;
  const ViewOptions options{.prompt = prompt, .continuation = kContinuation,
                            .columns = size.columns, .rows_max = size.rows - 1,
                            .shown_as = [this](std::string_view c) { return shown_as(c); }};
  send(screen_.draw(layout(line_.text(), line_.cursor(), options)));
}

}  // namespace hearth::terminal
