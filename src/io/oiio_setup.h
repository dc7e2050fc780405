// What reading and writing pictures share of OpenImageIO's ways.
#pragma once

#include <string>

namespace loe {

/// Sets OpenImageIO's global options, once: no more threads than the cores this process may use.
void set_up_oiio();

/// The first line of one of OpenImageIO's messages, made printable.
std::string oiio_message(const std::string& message);

}  // namespace loe
