// Terminal: standard input, output and error of a command. Writing reports a closed pipe or a
// full disk as an Error, so that a command never claims success for output that was lost.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// A terminal that understands escape sequences (TERM says so) on stdin and stderr, and on stdout
// one that may have colours and styles besides (NO_COLOR is not set).
bool terminal_takes_escapes();
bool stdout_is_styled();

// Columns of the terminal on stderr (or stdout), 80 where there is none.
int terminal_columns();

// Writes all of `text` to standard output, unbuffered: a token is seen when it is made. kIo when
// the reader has gone, kDiskFull when the disk is full.
Result<void> write_out(std::string_view text);

template <class... Args>
Result<void> print(fmt::format_string<Args...> format, Args&&... args) {
  return write_out(fmt::format(format, std::forward<Args>(args)...));
}

// Writes to standard error and ignores failure: there is nowhere left to report it.
void write_err(std::string_view text);

// "Error: message" as one line on stderr; control characters are shown, not obeyed. Returns the
// exit code of the error.
int report(const Error& error);

// `text` with control characters (but \n and \t) made visible, for text from files that goes to a
// terminal.
std::string printable(std::string_view text);

// All of standard input; kTooLarge above `bytes_max`.
Result<std::string> read_stdin(uint64_t bytes_max);

}  // namespace hearth
