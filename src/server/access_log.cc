#include "server/access_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <charconv>

#include "base/json.h"
#include "base/time.h"

namespace hearth::server {
namespace {

constexpr size_t kWaitingMax = 1 << 20;
constexpr size_t kPathMax = 512;
constexpr size_t kPieceMax = 4096;  // a pipe that can be written to takes as much without a wait

bool is_number(std::string_view text) {
  double value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  // What from_chars takes besides JSON's numbers: nan, inf, ".5", "01".
  std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9' || digits.ends_with('.')) return false;
  return digits.size() == 1 || digits[0] != '0' || digits[1] == '.';
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

}  // namespace

std::string format_line(const AccessLine& line) {
  using std::chrono::milliseconds;
  auto ms = std::chrono::duration_cast<milliseconds>(line.time.time_since_epoch()).count();
  std::string time = iso_time(ms / 1000);
  time.pop_back();  // the Z, which comes after the fraction
  std::string out = fmt::format(R"({{"time":"{}.{:03}Z")", time, ms % 1000);
  append_member(out, "id", line.id);
  append_member(out, "method", line.method);
  append_member(out, "path", line.path.substr(0, kPathMax));
  fmt::format_to(std::back_inserter(out), R"(,"status":{},"bytes":{},"ms":{:.3f})", line.status,
                 line.bytes, line.milliseconds);
  append_member(out, "remote", line.remote);
  if (line.gone) out += R"(,"gone":true)";
  for (const auto& [name, value] : line.notes) {
    if (!is_number(value)) {
      append_member(out, name, value);
      continue;
    }
    out += ',';
    append_json_string(out, name);
    out.append(":").append(value);
  }
  return out += "}\n";
}

bool AccessLog::add(const AccessLine& line) {
  if (!enabled()) return false;
  if (waiting_.size() >= kWaitingMax) {
    ++lost_;
    return false;
  }
  bool first = waiting_.empty();
  waiting_ += format_line(line);
  return first;
}

void AccessLog::flush() {
  if (!enabled()) return;
  if (lost_ > 0 && waiting_.size() < kWaitingMax / 2) {
    waiting_ += fmt::format("{{\"lost_lines\":{}}}\n", lost_);
    lost_ = 0;
  }
  size_t done = 0;
  while (done < waiting_.size()) {
    pollfd ready = {fd_, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) break;
    ssize_t wrote = write(fd_, waiting_.data() + done, std::min(kPieceMax, waiting_.size() - done));
    if (wrote <= 0) break;
    done += static_cast<size_t>(wrote);
  }
  waiting_.erase(0, done);
}

}  // namespace hearth::server
