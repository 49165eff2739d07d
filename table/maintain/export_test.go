package maintain

// FindOpponent returns who uses a netlink port.
var FindOpponent = findOpponent
