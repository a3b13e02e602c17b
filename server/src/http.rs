//! Parts that the endpoints share: parameters, bodies, cursors, consistent reads and answers. They know no
//! endpoint.

pub mod body;
pub mod consistency;
pub mod cursor;
pub mod declared_routes;
pub mod fields;
pub mod json_body;
pub mod operation;
pub mod page;
pub mod params;
pub mod response;
pub mod times;
