// Progress: a bar on stderr while something long runs. It appears only on a terminal and only
// when the work takes longer than half a second, and it removes itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hearth {

class Progress {
 public:
  // `total` in bytes, or 0 where nobody knows: then the bar shows what is done so far,
  // or the label alone.
  Progress(std::string label, uint64_t total);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Says how much is done; cheap, redraws ten times a second at most. One thread at a time.
  void update(uint64_t done);
  // Wipes the bar.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(uint64_t done);

  std::string label_;
  uint64_t total_;
  Clock::time_point start_, next_;
  bool terminal_, shown_ = false;
};

}  // namespace hearth
