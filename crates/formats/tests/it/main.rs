//! What each family makes of messages that no document shows: nulls, wrong types, lists too short or with holes, words for
//! "no value", several meters at once, a neighbour's message.

mod any_json;
mod by_name;
mod declared;
mod helpers;
mod inverters;
mod own_json;
mod plugs;
mod shown;
mod smart_meters;
mod sparkplug;
mod strangers;
mod wallboxes;
