#include "base/time.h"

#include <fmt/format.h>

#include <chrono>

namespace hearth {
namespace {

using std::chrono::sys_days;
using std::chrono::year_month_day;

// `count` digits at the head of `text`, which loses them; -1 where they are none.
int take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Seconds of "hh:mm:ss[.fraction]"; -1 where it is none.
int64_t take_clock(std::string_view& text) {
  int h = take_digits(text, 2);
  int m = take(text, ':') ? take_digits(text, 2) : -1;
  int s = take(text, ':') ? take_digits(text, 2) : -1;
  if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60) return -1;
  if (take(text, '.'))
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
  return h * 3600 + m * 60 + s;
}

}  // namespace

Result<int64_t> parse_iso_time(std::string_view whole) {
  auto bad = [&] {
    return fail(Code::kInvalid, "'{}' is no time such as 2026-01-02T03:04:05", whole);
  };
  std::string_view text = whole;
  int y = take_digits(text, 4);
  int m = take(text, '-') ? take_digits(text, 2) : -1;
  int d = take(text, '-') ? take_digits(text, 2) : -1;
  if (y < 0 || m < 1 || d < 1) return bad();
  year_month_day date{std::chrono::year(y), std::chrono::month(static_cast<unsigned>(m)),
                      std::chrono::day(static_cast<unsigned>(d))};
  if (!date.ok()) return bad();
  int64_t seconds = sys_days(date).time_since_epoch().count() * int64_t{86400};
  if (text.empty()) return seconds;
  if (!take(text, 'T') && !take(text, ' ')) return bad();
  int64_t clock = take_clock(text);
  if (clock < 0) return bad();
  seconds += clock;
  if (text.empty() || text == "Z") return seconds;
  int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  int h = take_digits(text, 2);
  take(text, ':');
  int minutes = take_digits(text, 2);
  if (sign == 0 || h < 0 || h > 14 || minutes < 0 || minutes > 59 || !text.empty()) return bad();
  return seconds - sign * (h * 3600 + minutes * 60);
}

std::string iso_time(int64_t seconds) {
  int64_t days = seconds >= 0 ? seconds / 86400 : -((86399 - seconds) / 86400);
  int64_t rest = seconds - days * 86400;
  year_month_day date{sys_days(std::chrono::days(days))};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     rest / 3600, rest / 60 % 60, rest % 60);
}

}  // namespace hearth
