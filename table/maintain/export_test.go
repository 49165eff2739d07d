package maintain

// FindOpponent returns who uses a netlink port.
var FindOpponent = findOpponent

// ExchangeWithin is how long interfaces may take to exchange their names.
const ExchangeWithin = exchangeWithin
