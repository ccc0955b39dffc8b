#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/utf8.h"

namespace hearth {
namespace {

// Writes everything, or returns the errno of the failure.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t put = write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    text.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

}  // namespace

bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool knows_escapes() {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
}

}  // namespace

bool terminal_takes_escapes() {
  return knows_escapes() && stdin_is_terminal() && stderr_is_terminal();
}

bool stdout_is_styled() { return knows_escapes() && stdout_is_terminal() && !is_set("NO_COLOR"); }

int terminal_columns() {
  struct winsize size = {};
  for (int fd : {STDERR_FILENO, STDOUT_FILENO})
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

Result<void> write_out(std::string_view text) {
  int error = write_all(STDOUT_FILENO, text);
  if (error == 0) return {};
  if (error == EPIPE)
    return fail(Code::kIo, "the program that reads the output has gone; nobody saw the rest");
  if (error == ENOSPC || error == EDQUOT)
    return fail(Code::kDiskFull, "the disk is full: the output is cut off; free some space");
  return fail(Code::kIo, "cannot write the output: {}", strerror(error));
}

void write_err(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    char32_t code = next.code;
    bool control = (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
    if (!next.valid) append_utf8(out, kReplacement);
    else if (control) out += fmt::format("\\x{:02x}", static_cast<uint32_t>(code));
    else out.append(text.substr(i, next.bytes));
    i += next.bytes;
  }
  return out;
}

int report(const Error& error) {
  std::string line = printable(error.message);
  for (char& c : line)
    if (c == '\n') c = ' ';
  write_err(fmt::format("Error: {}\n", line));
  return info(error.code).exit_code;
}

Result<std::string> read_stdin(uint64_t bytes_max) {
  std::string out;
  char chunk[1 << 16];
  while (true) {
    ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::kIo, "cannot read standard input: {}", strerror(errno));
    if (got == 0) return out;
    if (out.size() + static_cast<size_t>(got) > bytes_max)
      return fail(Code::kTooLarge, "standard input is longer than {} bytes", bytes_max);
    out.append(chunk, static_cast<size_t>(got));
  }
}

}  // namespace hearth
