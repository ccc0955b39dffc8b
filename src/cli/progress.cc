#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "terminal/width.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

constexpr auto kDelay = std::chrono::milliseconds(500);
constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(std::string label, uint64_t total)
    : label_(printable(label)),
      total_(total),
      start_(Clock::now()),
      next_(start_ + kDelay),
      terminal_(stderr_is_terminal()) {}

void Progress::update(uint64_t done) {
  if (!terminal_) return;
  auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  draw(done);
}

void Progress::draw(uint64_t done) {
  shown_ = true;
  double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string rate = size_text(static_cast<uint64_t>(static_cast<double>(done) / seconds)) + "/s";
  if (total_ == 0 && done == 0) return write_err(fmt::format("\r\x1b[K{}", label_));
  if (total_ == 0) {
    write_err(fmt::format("\r\x1b[K{} {} {}", label_, size_text(done), rate));
    return;
  }
  double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  std::string left = fmt::format("{} {:3.0f}% ", label_, share * 100);
  std::string right = fmt::format(" {}/{} {}", size_text(done), size_text(total_), rate);
  int room = terminal_columns() - terminal::width_of(left) - terminal::width_of(right) - 3;
  std::string bar;
  if (room >= 8) {
    int cells = std::min(room, 40), full = static_cast<int>(share * cells);
    bar = "[" + std::string(static_cast<size_t>(full), '#') +
          std::string(static_cast<size_t>(cells - full), ' ') + "]";
  }
  write_err(fmt::format("\r\x1b[K{}{}{}", left, bar, right));
}

void Progress::finish() {
  if (shown_) write_err("\r\x1b[K");
  shown_ = false;
}

}  // namespace hearth
