// LineEditor: reads a message from a terminal, with the keys of Emacs and readline, a history,
// completion, search, and pastes that stay what they are. One thread; one at a time on a terminal.
//
// Keys: arrows, Home, End, Ctrl-A/E/B/F/P/N; words with Alt-B/F, Ctrl-Left/Right, Alt-D, Ctrl-W;
// Ctrl-U/K/Y, Ctrl-T; Tab; Ctrl-R searches the history; Ctrl-L clears the screen; Alt-Enter makes
// a new line; Ctrl-C gives the line up; Ctrl-D on an empty line leaves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "terminal/history.h"
#include "terminal/keys.h"
#include "terminal/line_buffer.h"
#include "terminal/view.h"

namespace hearth::terminal {

// What may stand in the place of text[begin, cursor).
struct Completions {
  size_t begin = 0;
  std::vector<std::string> words;
};

struct EditorOptions {
  int in = 0, out = 2;  // file descriptors of the terminal
  History* history = nullptr;  // outlives the editor; may be null
  std::function<Completions(std::string_view text, size_t cursor)> complete;
};

enum class ReadEnd : uint8_t { kLine, kInterrupted, kEndOfInput };

struct ReadLine {
  ReadEnd end;
  std::string text = {};
};

class LineEditor {
 public:
  // Takes the terminal out of its line mode for as long as the editor lives; Ctrl-C sends a signal
  // except while read() waits. kUnsupported where `in` is no terminal.
  static Result<LineEditor> open(EditorOptions options);
  LineEditor(LineEditor&&) noexcept;
  LineEditor& operator=(LineEditor&&) = delete;
  ~LineEditor();

  // A message, with the prompt before it and `initial` in it.
  Result<ReadLine> read(std::string_view prompt, std::string initial = {});

 private:
  struct Mode;  // the terminal's own settings
  explicit LineEditor(EditorOptions options);

  Result<void> wait_and_read(std::vector<Key>& keys, bool& ended);
  std::optional<ReadLine> handle(const Key& key);
  std::optional<ReadLine> handle_control(char letter);
  void handle_move(KeyKind kind);
  void insert_paste(const std::string& text);
  void insert_typed(std::string_view text);
  void complete();
  void list(const std::vector<std::string>& words);
  void step_history(int direction);
  void search_key(const Key& key);
  void search(size_t from);
  std::string expanded(std::string_view text) const;
  std::string shown_as(std::string_view cluster) const;
  void redraw();
  ReadLine finish(ReadEnd end);
  void send(std::string_view text);

  EditorOptions options_;
  std::unique_ptr<Mode> mode_;
  KeyDecoder decoder_;
  std::vector<Key> ahead_;  // keys that came after the end of the last message
  LineBuffer line_;
  Screen screen_;
  std::string prompt_;
  std::vector<std::string> pastes_;  // long pastes stand in the line as one character each
  size_t history_at_ = 0;
  std::string unsent_;  // what stood in the line before the history was looked at
  bool tab_before_ = false;

  struct Search {
    std::string query, before;
    size_t at = 0;  // the entry that is shown; history size where none is
  };
  std::optional<Search> search_;
};

// Columns and rows of the terminal behind a descriptor; 80 by 24 where it does not say.
struct TerminalSize {
  int columns = 80, rows = 24;
};
TerminalSize size_of_terminal(int descriptor);

}  // namespace hearth::terminal
