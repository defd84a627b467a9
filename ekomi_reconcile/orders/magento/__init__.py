"""Orders from a Magento 2 shop over REST: Open Source and Adobe Commerce 2.3.7 to 2.4.8, Mage-OS."""
