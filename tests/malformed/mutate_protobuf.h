// Mutants of protobuf messages, bent by their fields.
#pragma once

#include <cstdint>
#include <string>

namespace hearth {

// Fields dropped, doubled, moved, their numbers and lengths bent, fields within fields too; now and
// then bytes or a cut. A function of both.
std::string mutate_protobuf(const std::string& bytes, uint64_t number);

}  // namespace hearth
